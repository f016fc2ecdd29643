from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels.correlation import (
    CLASSES,
    LOWEST,
    STEP,
    Shifts,
    bin_octets,
    envelope_scores,
    null_shifts,
    p_values,
    rhythm_scores,
)
from tests.reference.correlation import (
    bins_of,
    envelope_value,
    rhythm_value,
    standardised,
)

pytestmark = pytest.mark.kernel

row = st.tuples(
    st.integers(0, 2), st.integers(-20, 60), st.integers(0, 30), st.integers(0, 50)
).map(lambda r: (r[0], r[1], r[1] + r[2], float(r[3])))
series = st.lists(st.integers(1, 40), min_size=14, max_size=14).map(
    lambda values: [float(value) for value in values]
)
AT = [0, 2, 3, 5, 6, 8, 9, 11]
SHIFTS = Shifts(np.array(AT[1:], np.int64), 1)


@given(st.lists(row, max_size=12))
@settings(max_examples=150)
def test_octets_are_laid_out_evenly(rows: list[tuple[int, int, int, float]]) -> None:
    columns = np.array(rows, np.float64).reshape(-1, 4)
    found = bin_octets(
        *columns[:, :3].astype(np.int64).T, columns[:, 3], count=3, start=-4, width=7, bins=6
    )
    assert found == pytest.approx(np.array(bins_of(rows, 3, -4, 7, 6)))


@given(st.lists(series, min_size=1, max_size=2), st.lists(series, min_size=1, max_size=2))
@settings(max_examples=60)
def test_rhythm_equals_the_naive_twin(ins: list[list[float]], outs: list[list[float]]) -> None:
    found = rhythm_scores(np.array(ins), np.array(outs), lags=2, shifts=SHIFTS, widths=(1, 3))
    null: list[float] = []
    for i, a in enumerate(ins):
        for o, b in enumerate(outs):
            scores = standardised([rhythm_value(a, b, s, 2, (1, 3)) for s in AT], 1)
            assert found.score[i, o] == pytest.approx(scores[0], rel=1e-6, abs=1e-6)
            null += scores[1:]
    compare_null(found.null, null)


@given(st.lists(series, min_size=1, max_size=2), st.lists(series, min_size=1, max_size=2))
@settings(max_examples=60)
def test_envelope_equals_the_naive_twin(ins: list[list[float]], outs: list[list[float]]) -> None:
    found = envelope_scores(np.array(ins), np.array(outs), delay=2, shifts=SHIFTS)
    null: list[float] = []
    for i, a in enumerate(ins):
        for o, b in enumerate(outs):
            scores = standardised([envelope_value(a, b, s, 2) for s in AT], 1)
            assert found.score[i, o] == pytest.approx(scores[0], rel=1e-6, abs=1e-6)
            null += scores[1:]
    compare_null(found.null, null)


def compare_null(found: np.ndarray, scores: list[float]) -> None:
    """Each score in its class, or next to it where rounding decides."""
    assert found.sum() == len(scores)
    places = np.clip((np.array(sorted(scores)) - LOWEST) / STEP, 0, CLASSES - 1)
    assert np.repeat(np.arange(CLASSES), found) == pytest.approx(places.astype(int), abs=1)


def test_a_relay_is_told_by_its_rhythm_and_its_lag() -> None:
    random = np.random.default_rng(5)
    ins = random.gamma(4.0, 100.0, (6, 120))
    outs = np.roll(ins[[4, 1]], 2, axis=1) * 1.01
    found = rhythm_scores(ins, outs, lags=5, shifts=null_shifts(120, 5))
    assert found.score.argmax(axis=0).tolist() == [4, 1]
    assert found.lag[[4, 1], [0, 1]].tolist() == [2, 2]
    p = p_values(found.score, found.null)
    assert sorted(p.ravel())[:2] == sorted(p[[4, 1], [0, 1]])
    assert p[4, 0] < 0.003


def test_a_buffer_is_told_by_its_envelope() -> None:
    random = np.random.default_rng(6)
    ins = random.gamma(4.0, 100.0, (6, 120))
    held = ins[3].reshape(-1, 5).sum(axis=1)  # five bins at once, at the end of the fifth
    out = np.zeros(120)
    out[4::5] = held
    found = envelope_scores(ins, out[None, :], delay=5, shifts=null_shifts(120, 6))
    assert found.score[:, 0].argmax() == 3
    assert found.lag[3, 0] == 2


def test_series_that_never_change_say_nothing() -> None:
    flat, noisy = np.full((1, 30), 7.0), np.random.default_rng(1).random((1, 30))
    shifts = null_shifts(30, 3)
    assert rhythm_scores(flat, noisy, lags=2, shifts=shifts).score[0, 0] == 0.0
    assert envelope_scores(flat * 0, noisy, delay=2, shifts=shifts).score[0, 0] == 0.0


def test_p_values_of_wrong_pairs_are_even() -> None:
    random = np.random.default_rng(7)
    # neighbouring bins are far from independent, and everything grows over the hour
    waves = np.cumsum(random.normal(size=(40, 96)), axis=1)
    waves = waves[:, 6:] - waves[:, :-6] + np.arange(90)
    found = rhythm_scores(waves[:20], waves[20:], lags=2, shifts=null_shifts(90, 6))
    p = p_values(found.score, found.null)
    assert 0.02 < (p <= 0.05).mean() < 0.09


def test_impossible_questions_are_refused() -> None:
    good, shifts = np.ones((1, 20)), null_shifts(20, 2)
    none = np.zeros(0, np.int64)
    assert len(null_shifts(5, 2).bins) == 0
    for arguments in ({"shifts": null_shifts(8, 2)}, {"lags": 0}, {"widths": (8,)}, {"widths": ()}):
        with pytest.raises(ValueError, match=r"needs|width"):
            rhythm_scores(good, good, **({"lags": 1, "shifts": shifts} | arguments))
    with pytest.raises(ValueError, match="equally many"):
        rhythm_scores(good, np.ones((1, 21)), lags=1, shifts=shifts)
    with pytest.raises(ValueError, match="inside"):
        envelope_scores(good, good, delay=9, shifts=shifts)
    bad = np.array([1], np.int64)
    for columns in ((none, bad, bad), (bad, bad, bad), (bad * 0, bad, bad * 0)):
        with pytest.raises(ValueError, match=r"length|series|before"):
            bin_octets(*columns, np.ones(1), count=1, start=0, width=1, bins=2)
    with pytest.raises(ValueError, match="width"):
        bin_octets(bad * 0, bad, bad, np.ones(1), count=1, start=0, width=0, bins=2)
