"""Kaplan-Meier against the definition, and against a worked example of the literature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.survival import kaplan_meier
from tests.reference import survival as naive

pytestmark = pytest.mark.kernel

lives = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()).map(
        lambda row: (min(row[:2]), max(row[:2]), row[2])
    ),
    max_size=40,
)


@settings(max_examples=80)
@given(lives)
def test_against_the_definition(found: list[tuple[int, int, bool]]) -> None:
    entry = np.array([row[0] for row in found], float)
    age = np.array([row[1] for row in found], float)
    deleted = np.array([row[2] for row in found], bool)
    curve = kaplan_meier(age, deleted, entry=entry)
    expected = naive.kaplan_meier(age.tolist(), deleted.tolist(), entry.tolist())
    assert curve.age.tolist() == [row[0] for row in expected]
    assert curve.at_risk.tolist() == [row[1] for row in expected]
    assert curve.deleted.tolist() == [row[2] for row in expected]
    np.testing.assert_allclose(curve.survival, [row[3] for row in expected], atol=1e-12)
    known = ~np.isnan(curve.lower)
    assert (curve.lower[known] <= curve.survival[known] + 1e-12).all()
    assert (curve.upper[known] >= curve.survival[known] - 1e-12).all()


def test_remission_times_of_freireich() -> None:
    """6-MP arm of Freireich and others (1963), the example of many textbooks."""
    age = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35.0])
    dead = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
    curve = kaplan_meier(age, dead)
    assert curve.age.tolist() == [6, 7, 10, 13, 16, 22, 23]
    np.testing.assert_allclose(
        curve.survival, [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4
    )
    assert curve.median() == 23
    assert curve.outlives(5) == 1
    assert curve.outlives(12) == pytest.approx(0.753, abs=5e-4)


def test_what_nobody_saw_die_outlives_everything() -> None:
    curve = kaplan_meier(np.array([5.0, 9.0]), np.zeros(2, bool))
    assert len(curve.age) == 0
    assert curve.outlives(100) == 1
    assert np.isnan(curve.median())


@pytest.mark.parametrize(
    ("age", "entry", "words"),
    [
        ([1.0], [2.0], "before their entry"),
        ([np.nan], [0.0], "numbers"),
        ([1.0, 2.0], [0.0], "one length"),
        ([1.0], [-1.0], "negative"),
    ],
)
def test_wrong_arguments(age: list[float], entry: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kaplan_meier(np.array(age), np.ones(1, bool) if len(age) == 1 else np.ones(2, bool),
                     entry=np.array(entry))  # fmt: skip
    with pytest.raises(ValueError, match="confidence"):
        kaplan_meier(np.ones(1), np.ones(1, bool), confidence=1.0)
