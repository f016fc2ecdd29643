"""The promises of the score, over generated deployments."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lenswatch.model import Verdict
from lenswatch.policy import PolicyException
from lenswatch.scoring import Part, Sample, Score, apply_exceptions, grade_of, grade_range, score
from tests.lenswatch.scoring._deployments import JUDGED, Deployment, deployments

DAY = date(2026, 11, 24)


def numbers(result: Score) -> Iterator[tuple[str, Score | Part]]:
    yield "all", result
    for name in ("by_pack", "by_district", "by_vendor", "by_model"):
        for key, part in getattr(result, name).items():
            yield f"{name}.{key}", part


def run(deployment: Deployment, findings: Any = None) -> Score:
    found = deployment.findings if findings is None else findings
    return score(found, deployment.packs, deployment.inventory)


@given(deployments())
def test_bounded(deployment: Deployment) -> None:
    result = run(deployment)
    for _, part in numbers(result):
        assert 0.0 <= part.low <= part.high <= 100.0
    assert result.grade == grade_of(result.low)
    assert result.low_without_exceptions <= result.low


@given(deployments(), st.randoms(use_true_random=False))
def test_order_free(deployment: Deployment, random: Any) -> None:
    before = run(deployment)
    findings, packs = list(deployment.findings), list(deployment.packs)
    random.shuffle(findings)
    random.shuffle(packs)
    rows = list(range(len(deployment.inventory)))
    random.shuffle(rows)
    table = deployment.inventory._table.take(rows)
    after = score(findings, packs, type(deployment.inventory)(table))
    assert after == before


@given(deployments(), st.data())
def test_more_violations_never_raise_it(deployment: Deployment, data: Any) -> None:
    assume(deployment.findings)
    position = data.draw(st.integers(0, len(deployment.findings) - 1))
    assume(deployment.findings[position].verdict in JUDGED)
    before = dict(numbers(run(deployment)))
    after = dict(numbers(run(deployment, deployment.with_verdict(position, Verdict.FAIL))))
    assert before.keys() == after.keys()
    for name, part in after.items():
        assert part.low <= before[name].low
        assert part.high <= before[name].high


@given(deployments(), st.data())
def test_withholding_evidence_never_raises_low(deployment: Deployment, data: Any) -> None:
    """Some findings vanish, some become inconclusive: no part of the score gains by it.

    What is not applicable follows from inventory and rule alone, so it stays as it is.
    """
    fate = data.draw(
        st.lists(
            st.sampled_from(["kept", "kept", "gone", "unknown"]),
            min_size=len(deployment.findings),
            max_size=len(deployment.findings),
        )
    )
    left = []
    for position, item in enumerate(deployment.findings):
        if fate[position] == "kept" or item.verdict not in JUDGED:
            left.append(item)
        elif fate[position] == "unknown":
            left.append(deployment.with_verdict(position, Verdict.INCONCLUSIVE)[position])
    before = dict(numbers(run(deployment)))
    after = dict(numbers(run(deployment, left)))
    assert before.keys() == after.keys()
    for name, part in after.items():
        assert part.low <= before[name].low


@given(deployments(JUDGED), st.data())
def test_withholding_gains_nothing_under_exceptions_either(
    deployment: Deployment, data: Any
) -> None:
    """A pass that is withheld may become excepted; that never helps."""
    places = [(item.control, item.subject) for item in deployment.findings]
    assume(places)
    chosen = data.draw(st.lists(st.sampled_from(places), max_size=3, unique=True))
    exceptions = [
        PolicyException(control, subject, "why", "who", DAY) for control, subject in chosen
    ]
    withheld = data.draw(st.integers(0, len(places) - 1))
    gone = deployment.with_verdict(withheld, Verdict.INCONCLUSIVE)
    before = run(deployment, apply_exceptions(deployment.findings, exceptions, DAY)).low
    after = run(deployment, apply_exceptions(gone, exceptions, DAY)).low
    held = deployment.findings[withheld].verdict is Verdict.INCONCLUSIVE
    assert after <= before or held or math.isclose(after, before, rel_tol=1e-12)


@given(deployments(JUDGED), st.data())
def test_an_exception_does_what_its_rule_says_and_stays_visible(
    deployment: Deployment, data: Any
) -> None:
    assume(deployment.findings)
    position = data.draw(st.integers(0, len(deployment.findings) - 1))
    target = deployment.findings[position]
    subject = data.draw(st.sampled_from([target.subject, "*"]))
    late = data.draw(st.integers(-3, 3))
    exception = PolicyException(target.control, subject, "why", "who", DAY + timedelta(days=late))
    after = apply_exceptions(deployment.findings, [exception], DAY)
    assert len(after) == len(deployment.findings)
    for old, new in zip(deployment.findings, after, strict=True):
        matches = old.control == target.control and subject in (old.subject, "*")
        if not matches or old.verdict is Verdict.PASS:
            assert new == old
        elif late >= 0:
            assert new.verdict is Verdict.EXCEPTED
            assert "why" in new.reason
            assert "who" in new.reason
        else:
            assert new.verdict is old.verdict
            assert "ended on" in new.reason
    result = run(deployment, after)
    excepted = sum(item.verdict is Verdict.EXCEPTED for item in after)
    assert result.tally.excepted == excepted
    if not excepted:
        assert result.low == run(deployment).low


@given(deployments())
def test_drivers_explain_the_whole_loss(deployment: Deployment) -> None:
    result = run(deployment)
    if result.drivers:
        low = 100.0 - math.fsum(driver.loss_low for driver in result.drivers)
        high = 100.0 - math.fsum(driver.loss_high for driver in result.drivers)
        assert math.isclose(result.low, low, abs_tol=1e-9)
        assert math.isclose(result.high, high, abs_tol=1e-9)
    rules = sum(len(item.controls) for item in deployment.packs)
    assert len(result.drivers) + len(result.not_applicable) == rules


@given(deployments(), st.floats(1, 10))
@settings(max_examples=50)
def test_grade_range_holds_what_changed_weights_give(deployment: Deployment, factor: float) -> None:
    result = run(deployment)
    least, most = grade_range(result, factor)
    assert least <= result.low + 1e-9
    assert most >= result.low - 1e-9
    import random

    chance = random.Random(7)
    for _ in range(20):
        weights = [d.weight * factor ** chance.uniform(-1, 1) for d in result.drivers]
        if weights:
            mean = (
                100
                * sum(w * d.low for w, d in zip(weights, result.drivers, strict=True))
                / sum(weights)
            )
            assert least - 1e-9 <= mean <= most + 1e-9


@given(deployments(), st.data())
@settings(max_examples=40)
def test_withholding_gains_nothing_in_a_sampled_audit(deployment: Deployment, data: Any) -> None:
    inventory = deployment.inventory
    cameras = [str(inventory.node_id[row]) for row in inventory.cameras]
    assume(cameras and deployment.findings)
    order = data.draw(st.permutations(cameras))
    sample = Sample(tuple(order[: data.draw(st.integers(0, len(order)))]))
    withheld = data.draw(st.integers(0, len(deployment.findings) - 1))
    assume(deployment.findings[withheld].verdict in JUDGED)
    gone = list(deployment.findings)
    if data.draw(st.booleans()):
        gone = deployment.with_verdict(withheld, Verdict.INCONCLUSIVE)
    else:
        del gone[withheld]
    whole = score(deployment.findings, deployment.packs, inventory, sample=sample)
    after = dict(numbers(score(gone, deployment.packs, inventory, sample=sample)))
    census = dict(numbers(run(deployment)))
    for name, part in numbers(whole):
        assert 0.0 <= part.low <= part.high <= 100.0
        assert part.low >= census[name].low
        assert part.high <= census[name].high or part.high == part.low
        assert after[name].low <= part.low
