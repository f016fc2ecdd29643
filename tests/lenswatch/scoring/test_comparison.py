"""Two audits side by side: changes, and noise."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from scipy import stats

from lenswatch.comparison import compare, score_change, sign_test
from lenswatch.model import Finding, Interval, Verdict
from lenswatch.scoring import score
from tests.lenswatch.scoring._deployments import Deployment, deployments, finding

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def city(verdicts: list[Verdict], control: str = "p/faces") -> list[Finding]:
    return [finding(control, f"node:{n:03d}", verdict) for n, verdict in enumerate(verdicts)]


def test_what_became_of_each_subject() -> None:
    found = compare(
        city([PASS, FAIL, PASS, OPEN, FAIL, PASS]), city([PASS, PASS, FAIL, FAIL, OPEN])
    )
    (change,) = found.controls
    assert (change.better, change.worse, change.lost, change.gained, change.unchanged) == (
        1,
        1,
        1,
        1,
        1,
    )
    assert change.p_value == 1.0
    assert [(flip.subject, flip.before, flip.after) for flip in found.flips] == [
        ("node:001", FAIL, PASS),
        ("node:002", PASS, FAIL),
        ("node:003", OPEN, FAIL),
        ("node:004", FAIL, OPEN),
        ("node:005", PASS, None),
    ]


def test_a_few_flips_are_noise_and_many_are_not() -> None:
    few = compare(city([PASS] * 50), city([PASS] * 47 + [FAIL] * 3)).controls[0]
    many = compare(city([PASS] * 50), city([PASS] * 40 + [FAIL] * 10)).controls[0]
    assert not few.beyond_noise
    assert many.beyond_noise
    assert many.p_value == pytest.approx(2 * 0.5**10)


def test_correction_for_many_controls() -> None:
    """One of twenty controls moves: what is beyond noise alone is noise among so many."""
    before, after = [], []
    for number in range(20):
        before += city([PASS] * 8, f"p/c{number:02d}")
        after += city(([FAIL] * 6 + [PASS] * 2) if number == 7 else [PASS] * 8, f"p/c{number:02d}")
    moved = compare(before, after).controls[7]
    assert sign_test(0, 6) < 0.05
    assert moved.p_value == pytest.approx(20 * 2 * 0.5**6)
    assert not moved.beyond_noise


def test_intervals_tell_noise_of_one_subject() -> None:
    def measured(lower: float, upper: float, verdict: Verdict, unit: str = "share") -> Finding:
        return replace(
            finding("p/faces", "node:a", verdict), interval=Interval(lower, upper), unit=unit
        )

    apart = compare([measured(0.0, 0.1, PASS)], [measured(0.2, 0.4, FAIL)]).flips[0]
    touching = compare([measured(0.0, 0.1, PASS)], [measured(0.1, 0.4, FAIL)]).flips[0]
    other_unit = compare([measured(0.0, 0.1, PASS)], [measured(0.2, 0.4, FAIL, "h")]).flips[0]
    assert (apart.beyond_noise, touching.beyond_noise, other_unit.beyond_noise) == (
        True,
        False,
        None,
    )


@pytest.mark.parametrize(
    ("better", "worse"), [(0, 0), (1, 0), (3, 9), (40, 60), (7, 7), (90_000, 91_500)]
)
def test_the_sign_test_is_the_binomial_one(better: int, worse: int) -> None:
    expected = 1.0 if better + worse == 0 else stats.binomtest(better, better + worse, 0.5).pvalue
    assert math.isclose(sign_test(better, worse), min(1.0, expected), rel_tol=1e-6)


@given(deployments())
def test_an_audit_does_not_differ_from_itself(deployment: Deployment) -> None:
    shuffled = list(deployment.findings)
    random.Random(3).shuffle(shuffled)
    found = compare(deployment.findings, shuffled)
    assert not found.flips
    assert not any(change.beyond_noise for change in found.controls)


@given(deployments())
def test_points_add_up(deployment: Deployment) -> None:
    before = score(deployment.findings, deployment.packs, deployment.inventory)
    after = score(deployment.findings[::2], deployment.packs, deployment.inventory)
    if before.drivers and after.drivers:
        total = math.fsum(points for _, points in score_change(before, after))
        assert math.isclose(total, after.low - before.low, abs_tol=1e-9)
