"""The score by example: numbers that a person can follow with a pencil."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from lenswatch.model import Finding, Verdict
from lenswatch.policy import PolicyException, Subjects
from lenswatch.scoring import (
    Sample,
    apply_exceptions,
    exception_problems,
    grade_of,
    grade_range,
    score,
)
from tests.lenswatch.scoring._deployments import control, finding, inventory, pack

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
NOT, EXCEPTED = Verdict.NOT_APPLICABLE, Verdict.EXCEPTED

CITY = inventory(
    [
        {"node_id": "a", "kind": "camera", "district": "north", "vendor": "v", "model": "1"},
        {"node_id": "b", "kind": "camera", "district": "north", "vendor": "v", "model": "2"},
        {"node_id": "c", "kind": "camera", "district": "south", "vendor": "w", "model": "1"},
        {"node_id": "d", "kind": "camera", "district": "south", "vendor": "w", "model": "1"},
        {"node_id": "nvr", "kind": "recorder", "district": "south", "vendor": "w"},
    ]
)
FACES, CENTRAL = control("p/faces", 3.0), control("p/central", 1.0)
PACK = pack("p", [FACES, CENTRAL])


def judged(rule: str, **verdicts: Verdict) -> list[Finding]:
    return [finding(rule, f"node:{node}", verdict) for node, verdict in verdicts.items()]


def test_weights_times_compliance() -> None:
    findings = [
        *judged("p/faces", a=PASS, b=FAIL, c=OPEN, d=PASS),
        *judged("p/central", a=PASS, b=PASS, c=PASS, d=FAIL),
    ]
    result = score(findings, [PACK], CITY)
    # faces: 2 to 3 of 4, weight 3; central: 3 of 4, weight 1
    assert result.low == 100 * (3 * 0.5 + 0.75) / 4
    assert result.high == 100 * (3 * 0.75 + 0.75) / 4
    assert result.grade == "D"
    assert [driver.control for driver in result.drivers] == ["p/faces", "p/central"]
    assert result.drivers[0].loss_low == 37.5
    assert result.drivers[0].loss_high == 18.75
    assert result.by_district["north"].low == 100 * (3 * 0.5 + 1.0) / 4
    assert result.by_district["south"].high == 100 * (3 * 1.0 + 0.5) / 4
    assert set(result.by_model) == {"v 1", "v 2", "w 1"}
    assert result.by_vendor["w"].tally.judged == 4


def test_a_camera_without_a_finding_counts_as_not_checked() -> None:
    result = score(judged("p/faces", a=PASS), [pack("p", [FACES])], CITY)
    assert (result.low, result.high) == (25.0, 100.0)
    assert result.tally.inconclusive == 3


def test_a_control_without_any_finding_counts_as_not_checked() -> None:
    result = score(judged("p/central", a=PASS, b=PASS, c=PASS, d=PASS), [PACK], CITY)
    assert (result.low, result.high) == (25.0, 100.0)


def test_nothing_to_judge_is_nothing_known() -> None:
    assert score([], [], CITY).low == 0.0
    assert score([], [PACK], inventory([])).grade == "F"
    findings = [finding(rule, "deployment", NOT) for rule in ("p/faces", "p/central")]
    result = score(findings, [PACK], CITY)
    assert (result.low, result.high) == (0.0, 100.0)
    assert result.not_applicable == ("p/central", "p/faces")


def test_not_applicable_leaves_the_count() -> None:
    result = score(judged("p/faces", a=PASS, b=NOT, c=NOT, d=FAIL), [pack("p", [FACES])], CITY)
    assert result.low == result.high == 50.0


def test_an_excepted_camera_leaves_the_count_and_stays_in_sight() -> None:
    findings = judged("p/faces", a=PASS, b=FAIL, c=FAIL, d=PASS)
    exceptions = [PolicyException("p/faces", "node:b", "Door.", "A. Officer", date(2027, 1, 1))]
    after = apply_exceptions(findings, exceptions, date(2026, 11, 24))
    result = score(after, [pack("p", [FACES])], CITY)
    assert result.low == pytest.approx(200 / 3)
    assert result.low_without_exceptions == 50.0
    assert result.tally.excepted == 1
    assert "Without the exception: failed" in after[1].reason


def test_an_exception_holds_to_the_end_of_its_day_in_utc() -> None:
    findings = judged("p/faces", b=FAIL)
    exceptions = [PolicyException("p/faces", "node:b", "Door.", "A. Officer", date(2026, 11, 24))]

    def verdict(moment: date) -> Verdict:
        return apply_exceptions(findings, exceptions, moment)[0].verdict

    assert verdict(date(2026, 11, 24)) is EXCEPTED
    assert verdict(datetime(2026, 11, 24, 23, 59, tzinfo=UTC)) is EXCEPTED
    assert verdict(datetime(2026, 11, 25, tzinfo=UTC)) is FAIL
    # an hour after midnight in Chongqing it is still the day before in UTC
    assert verdict(datetime(2026, 11, 25, 1, tzinfo=timezone(timedelta(hours=8)))) is EXCEPTED


def test_the_exact_exception_goes_before_the_general_one() -> None:
    findings = judged("p/faces", a=FAIL, b=FAIL)
    exceptions = [
        PolicyException("p/faces", "*", "All.", "B", date(2027, 1, 1)),
        PolicyException("p/faces", "node:a", "One.", "A", date(2027, 1, 1)),
    ]
    first, second = apply_exceptions(findings, exceptions, date(2026, 11, 24))
    assert "One." in first.reason
    assert "All." in second.reason
    expired = [exceptions[0], PolicyException("p/faces", "node:a", "One.", "A", date(2026, 1, 1))]
    assert "All." in apply_exceptions(findings, expired, date(2026, 11, 24))[0].reason


def test_exceptions_that_change_nothing_are_told() -> None:
    findings = judged("p/faces", a=FAIL, b=PASS)
    day, late = date(2026, 11, 24), date(2027, 1, 1)
    exceptions = [
        PolicyException("p/faces", "node:a", "r", "w", late),
        PolicyException("p/faces", "node:b", "r", "w", late),
        PolicyException("p/faces", "node:a", "r", "w", date(2026, 1, 1)),
        PolicyException("q/other", "*", "r", "w", late),
    ]
    messages = [p.message for p in exception_problems(findings, exceptions, [PACK], day)]
    assert messages == [
        "an exception for a control that is in no pack of this audit",
        "the exception for p/faces ended on 2026-01-01",
        "the exception for p/faces excuses nothing",
    ]


def test_the_worst_of_several_findings_counts() -> None:
    findings = [*judged("p/faces", a=PASS), *judged("p/faces", a=FAIL), *judged("p/faces", a=OPEN)]
    assert score(findings, [pack("p", [FACES])], CITY).tally.failed == 1


def test_a_store_speaks_for_its_cameras() -> None:
    findings = [finding("p/faces", "store:s", FAIL), *judged("p/faces", a=PASS, b=PASS)]
    rules = [pack("p", [FACES])]
    result = score(findings, rules, CITY, covers={"store:s": ["b", "c", "nvr", "unknown"]})
    assert (result.tally.passed, result.tally.failed, result.tally.inconclusive) == (1, 2, 1)
    assert result.outside == 0
    alone = score(findings, rules, CITY)
    assert (alone.tally.passed, alone.outside) == (2, 1)


def test_what_a_control_is_about() -> None:
    rules = pack(
        "p",
        [
            control("p/r", subjects=Subjects.RECORDERS),
            control("p/d", subjects=Subjects.DEPLOYMENT),
            control("p/n", subjects=Subjects.NODES),
            control("p/s", subjects=Subjects.SINKS),
            control("p/f", subjects=Subjects.FORWARDERS),
        ],
    )
    findings = [
        *judged("p/r", nvr=PASS, a=FAIL),
        finding("p/d", "deployment", PASS),
        *judged("p/n", nvr=PASS),
        finding("p/s", "deployment", PASS),
    ]
    result = score(findings, [rules], CITY)
    assert result.not_applicable == ()
    low = {driver.control: driver.low for driver in result.drivers}
    # the city has no sink: the deployment may answer for that control, and without it none need
    assert low == {"p/r": 1.0, "p/d": 1.0, "p/n": 0.2, "p/s": 1.0, "p/f": 0.0}
    assert result.outside == 1
    silent = score(findings[:-1], [rules], CITY)
    assert silent.not_applicable == ("p/s",)


def test_a_failing_deployment_fails_what_was_not_checked() -> None:
    findings = [finding("p/faces", "deployment", FAIL), *judged("p/faces", a=PASS)]
    result = score(findings, [pack("p", [FACES])], CITY)
    assert (result.low, result.high) == (25.0, 25.0)


def test_a_finding_of_no_pack_is_an_error() -> None:
    with pytest.raises(ValueError, match="in no pack"):
        score(judged("q/other", a=PASS), [PACK], CITY)


def test_a_sample_bounds_what_a_census_would_find() -> None:
    size = 2000
    city = inventory([{"node_id": f"c{n}", "kind": "camera"} for n in range(size)])
    drawn = tuple(f"c{n}" for n in range(300))
    findings = [finding("p/faces", f"node:{name}", PASS) for name in drawn]
    rules = [pack("p", [FACES])]
    assert score(findings, rules, city).low == 15.0
    sampled = score(findings, rules, city, sample=Sample(drawn))
    assert 98.0 < sampled.low < 99.5
    assert sampled.high == 100.0
    # ten of the three hundred kept out of reach count as failed
    held_back = score(findings[10:], rules, city, sample=Sample(drawn))
    assert held_back.low < sampled.low
    weak = score(findings, rules, city, sample=Sample(drawn, sensitivity=0.5))
    assert weak.low < sampled.low
    bad = [finding("p/faces", f"node:{name}", FAIL) for name in drawn]
    assert score(bad, rules, city, sample=Sample(drawn)).high < 2.0
    for wrong in (("c0", "c0"), ("unknown",)):
        with pytest.raises(ValueError):
            score(findings, rules, city, sample=Sample(wrong))


def test_grades() -> None:
    assert [grade_of(low) for low in (100, 95, 94.99, 85, 70, 50, 25, 24, 0)] == list("AABBCDEFF")


def test_grade_range_of_unequal_controls() -> None:
    findings = [
        *judged("p/faces", a=PASS, b=PASS, c=PASS, d=PASS),
        *judged("p/central", a=FAIL, b=FAIL, c=FAIL, d=FAIL),
    ]
    result = score(findings, [PACK], CITY)
    assert result.low == 75.0
    # weights 3 and 1 become 1.5 and 2 at the worst, 6 and 0.5 at the best
    assert grade_range(result, 2.0) == pytest.approx((100 * 1.5 / 3.5, 100 * 6 / 6.5))
    with pytest.raises(ValueError):
        grade_range(result, 0.5)
    assert grade_range(score([], [], CITY)) == (0.0, 0.0)
