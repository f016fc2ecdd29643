from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.onset import response
from tests.reference.onset import response as reference

pytestmark = pytest.mark.kernel


@given(
    st.lists(st.integers(0, 50), min_size=4, max_size=20),
    st.integers(1, 5).flatmap(
        lambda count: st.lists(
            st.lists(st.integers(-35, 70), min_size=count, max_size=count), min_size=1, max_size=5
        )
    ),
    st.integers(1, 6),
    st.integers(1, 4),
)
@settings(max_examples=200)
def test_equals_the_naive_twin(
    series: list[int], draws: list[list[int]], lags: int, window: int
) -> None:
    values = np.array(series, np.float64)
    best, at = response(values, np.array(draws, np.int64), lags=lags, window=window)
    for i, events in enumerate(draws):
        expected, _ = reference(values.tolist(), events, lags, window)
        assert best[i] == pytest.approx(expected)
        # the lag may differ where two are equal but for rounding
        moved = [event + int(at[i]) for event in events]
        assert reference(values.tolist(), moved, 1, window)[0] == pytest.approx(expected)


def test_finds_a_burst_and_its_lag() -> None:
    series = np.zeros(1000)
    events = np.array([100, 300, 420, 700])
    series[events + 3] = 9.0
    best, at = response(series, np.stack([events, events + 57]), lags=10, window=1)
    assert best.tolist() == [9.0, 0.0]
    assert at[0] == 3


@pytest.mark.parametrize(
    ("bins", "events", "lags", "window"), [(0, 1, 1, 1), (5, 0, 1, 1), (5, 1, 0, 1), (5, 1, 1, 6)]
)
def test_impossible_questions_are_refused(bins: int, events: int, lags: int, window: int) -> None:
    with pytest.raises(ValueError, match=r"needs at least|must fit"):
        response(np.zeros(bins), np.zeros((1, events), np.int64), lags=lags, window=window)
