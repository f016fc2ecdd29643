"""Sample sizes, against the published table and against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lenswatch.sampling import (
    fixed_sample_size,
    frames_to_rule_out,
    plan,
    sample_size,
    sensitivity_bound,
    stand,
    two_stage_plan,
)

CITY = 500_000


@pytest.mark.parametrize(
    ("share", "any_time", "fixed"),
    [
        (0.05, (64, 137, 182), (59, 93, 124)),
        (0.01, (325, 697, 924), (299, 473, 628)),
        (0.001, (3257, 6998, 9268), (2995, 4742, 6294)),
    ],
)
def test_the_table(share: float, any_time: tuple[int, ...], fixed: tuple[int, ...]) -> None:
    """docs/statistics.md; the fixed sizes there are for a city without end, ours for this one."""
    for (found, ours, exact), size, endless in zip(
        plan(CITY, share).sizes, any_time, fixed, strict=True
    ):
        assert ours == pytest.approx(size, rel=0.015), found
        assert exact == pytest.approx(endless, rel=0.01), found


def test_the_headline_number() -> None:
    assert sample_size(CITY, 0.01) == 325


def test_sizes_are_the_least_that_certify() -> None:
    for population, share, failures in ((1000, 0.02, 0), (1000, 0.02, 1), (50, 0.1, 2)):
        size = sample_size(population, share, failures=failures)
        assert size is not None
        outcomes = np.zeros(size, np.bool_)
        outcomes[:failures] = True
        assert stand(outcomes, population, share).decision == "certified"
        assert stand(outcomes[:-1], population, share).decision != "certified"


def test_fixed_sizes_are_exact() -> None:
    for failures in range(3):
        size = fixed_sample_size(400, 0.05, failures=failures)
        assert size is not None
        assert stats.hypergeom.cdf(failures, 400, 21, size) <= 0.05
        assert stats.hypergeom.cdf(failures, 400, 21, size - 1) > 0.05


def test_what_cannot_be_claimed() -> None:
    """No bad camera at all takes nearly a census; more bad ones than allowed, nothing."""
    assert sample_size(10, 0.0) == 10
    assert fixed_sample_size(CITY, 0.0) == 475_001
    assert sample_size(100, 0.01, failures=2) is None
    assert fixed_sample_size(100, 0.01, failures=2) is None
    assert plan(100, 0.01).sizes[2] == (2, None, None)


def test_a_weak_detector_takes_more_cameras() -> None:
    full, weak = sample_size(CITY, 0.01), sample_size(CITY, 0.01, sensitivity=0.9)
    assert full is not None
    assert weak is not None
    assert full / 0.9 <= weak <= 1.1 * full / 0.9
    # so few bad cameras that a blind half could hide them all
    assert sample_size(20, 0.05, sensitivity=0.5) is None


@pytest.mark.parametrize(
    ("reach", "frames", "cameras"), [(10, 17, 514), (100, 41, 340), (1000, 77, 304)]
)
def test_two_stages(reach: int, frames: int, cameras: int) -> None:
    found = two_stage_plan(0.01, 0.05, reach_cost=reach)
    assert (found.frames, found.cameras) == (frames, cameras)
    assert math.isclose(found.seen, 1 - 0.95**frames)


def test_frames_of_one_camera() -> None:
    assert frames_to_rule_out(0.05) == 59
    assert 0.95**59 <= 0.05 < 0.95**58


def test_sensitivity_bound() -> None:
    bound = sensitivity_bound(290, 300)
    assert stats.binom.sf(289, 300, bound) == pytest.approx(0.01)
    assert sensitivity_bound(0, 5) == 0.0
    assert sensitivity_bound(5, 5) == pytest.approx(0.01**0.2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sample_size(0, 0.1),
        lambda: sample_size(10, 1.0),
        lambda: sample_size(10, 0.1, 0.0),
        lambda: frames_to_rule_out(0.0),
        lambda: two_stage_plan(0.0, 0.1),
        lambda: sensitivity_bound(3, 2),
    ],
)
def test_arguments_out_of_range(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]
