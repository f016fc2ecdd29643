"""Does what leaves a relay follow what enters it?

Question: a relay takes in many streams and sends out others, all encrypted. Which input is inside
which output? Inputs and outputs are series of octets in bins of equal width.

Two statistics, for two kinds of relay. *Rhythm*: the correlation of input and output, at the lag
and the smoothing where it is greatest; it fits a relay that passes packets on. *Envelope*: a relay
that buffers may send nothing that it has not received and must send everything in the end, so the
cumulative curve of the output lies between the input's and the input's moved by the longest delay
(the arrival and service curves of network calculus, Le Boudec and Thiran 2001, chapter 1); the
statistic is how far it leaves that band.

Both come with a null distribution: the same statistic with the input moved around the circle by
more than any delay. Each shift takes its own best lag, so the choice of lag is paid for (Westfall
and Young 1993, section 2.3). Every value of a pair is standardised by the shifted values of that
pair which are further than the reach of a delay away from it. That holds for the observed value
by itself and is done for the shifted ones alike: where there is no link, the observed score is one
of the null scores, and they may be pooled over pairs whose series have different rhythms. (Without
the distance, the neighbours of a shifted value, which are nearly equal to it, made the null too
narrow: 9 % of wrong pairs fell below a p-value of 5 % in series of 60 bins with a memory of 6.)
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LOWEST: Final = -10.0
"""Least null score that is told apart."""
STEP: Final = 0.02
"""Width of a class of null scores."""
CLASSES: Final = 3000
"""Number of classes; the last holds everything above."""


class LinkScores(NamedTuple):
    """One score a pair, and what scores come about without a link."""

    score: Floats
    """Shape ``(inputs, outputs)``: standard deviations above the pair's own shifted values; 0
    where a series never changes."""
    lag: Integers
    """Likewise: bins by which the output follows."""
    null: Integers
    """Shape ``(CLASSES,)``: how many shifted values of all pairs fall into each class."""


def bin_octets(
    series: Integers,
    first: Integers,
    last: Integers,
    octets: Floats,
    *,
    count: int,
    start: int,
    width: int,
    bins: int,
) -> Floats:
    """Octets of each of ``count`` series in bins of ``width``, shape ``(count, bins)``.

    A row says that ``octets`` of series ``series[i]`` passed evenly between ``first[i]`` and
    ``last[i]`` (one moment where they are equal: a packet). Times, ``start`` and ``width`` have
    one unit, milliseconds say. What lies outside the bins is left out. O(rows + bins touched).

    Raises ``ValueError`` for columns of unequal length, a series out of range, a row that ends
    before it begins, or no width.
    """
    if not len(series) == len(first) == len(last) == len(octets):
        raise ValueError("columns differ in length")
    if width < 1 or bins < 0:
        raise ValueError("bins must have a width")
    if len(series) and (int(series.min()) < 0 or int(series.max()) >= count):
        raise ValueError("a row names a series that does not exist")
    if bool((last < first).any()):
        raise ValueError("a row ends before it begins")
    binned = np.zeros((count, bins), np.float64)
    _spread(series, first, last, octets, start, width, binned)
    return binned


class Shifts(NamedTuple):
    """Where the null distribution comes from."""

    bins: Integers
    """How far the input is moved, rising."""
    near: int
    """So many shifts on each side of one are no further away than a delay reaches."""


def null_shifts(bins: int, reach: int, most: int = 64) -> Shifts:
    """Shifts that neither a delay nor the series' memory explains, both at most ``reach`` bins.

    Evenly spaced, at most ``most``. Too few to be of use (:func:`usable`) in short series.
    """
    lowest, highest = reach, bins - 2 * reach
    if highest < lowest or reach < 1:
        return Shifts(np.zeros(0, np.int64), 0)
    number = min(most, highest - lowest + 1)
    shifts = np.unique(np.linspace(lowest, highest, number).round().astype(np.int64))
    spacing = (highest - lowest) / max(len(shifts) - 1, 1)
    return Shifts(shifts, int(np.ceil(reach / spacing)) - 1 if spacing else 0)


def usable(shifts: Shifts) -> bool:
    """Whether every shift has at least three others that are far enough away from it."""
    return len(shifts.bins) - 2 * shifts.near - 1 >= 3


def rhythm_scores(
    inputs: Floats,
    outputs: Floats,
    *,
    lags: int,
    shifts: Shifts,
    widths: tuple[int, ...] = (1,),
) -> LinkScores:
    """Score every pair by correlation.

    ``inputs`` is ``(i, bins)``, ``outputs`` ``(o, bins)``. A linear trend is taken off first: two
    streams that both grow over the hour would correlate at no shift but none. For each width the
    series are smoothed by a running mean of so many bins; the value of a shift is the largest
    ``sqrt(bins / width - 3) · atanh(correlation)`` over the widths and the lags
    ``0 .. lags - 1`` behind it (Fisher 1921: so scaled, values of different widths compare).
    O(i · o · widths · shifts · lags · bins).

    Raises ``ValueError`` where the series differ in length, the shifts are not :func:`usable`, or
    a width leaves fewer than four independent bins.
    """
    _check(inputs, outputs, shifts, lags)
    bins = inputs.shape[1]
    if not widths or min(widths) < 1 or bins / max(widths) < 4:
        raise ValueError("a width must leave at least four bins")
    scale = np.array([np.sqrt(max(bins / width - 3.0, 1.0)) for width in widths])
    flat_in, flat_out = _detrended(inputs), _detrended(outputs)
    ins = np.stack([_unit(_smoothed(flat_in, width)) for width in widths])
    outs = np.stack([_unit(_smoothed(flat_out, width)) for width in widths])
    twice = np.concatenate([outs, outs], axis=2)  # a circle without a modulo in the loop
    result = _empty(len(inputs), len(outputs))
    everything = np.concatenate([np.zeros(1, np.int64), shifts.bins])
    _rhythm(ins, twice, scale, everything, lags, shifts.near, result.score, result.lag, result.null)
    return result


def envelope_scores(inputs: Floats, outputs: Floats, *, delay: int, shifts: Shifts) -> LinkScores:
    """Score every pair by how well the output keeps inside the causal band of the input.

    The input is scaled to the output's total, which leaves only the course in time. The value of
    a shift is minus the logarithm of the part of all octets by which the output runs ahead of the
    input or falls behind the input ``delay`` bins ago, each at its worst moment. The lag of a pair
    is the mean delay in bins: the area between the curves over the total. O(i · o · shifts · bins).

    Raises ``ValueError`` as :func:`rhythm_scores` does.
    """
    _check(inputs, outputs, shifts, delay + 1)
    result = _empty(len(inputs), len(outputs))
    laid_twice = np.concatenate([inputs, inputs], axis=1)
    none = np.zeros((len(inputs), 1))
    running = np.concatenate([none, np.cumsum(laid_twice, axis=1)], axis=1)
    everything = np.concatenate([np.zeros(1, np.int64), shifts.bins])
    _envelope(
        running,
        np.cumsum(outputs, axis=1),
        everything,
        delay,
        shifts.near,
        result.score,
        result.lag,
        result.null,
    )
    return result


def p_values(scores: Floats, null: Integers) -> Floats:
    """Share of null scores at least as great as each score, never 0, of the shape of ``scores``.

    A null score counts as at least as great where it falls into the same class: an upper bound.
    """
    above = np.cumsum(null[::-1])[::-1].astype(np.float64)
    p: Floats = (1.0 + above[_classes(scores)]) / (1.0 + above[0])
    return p


def _classes(scores: Floats) -> Integers:
    return np.clip((scores - LOWEST) / STEP, 0, CLASSES - 1).astype(np.int64)


def _check(inputs: Floats, outputs: Floats, shifts: Shifts, lags: int) -> None:
    if inputs.ndim != 2 or outputs.ndim != 2 or inputs.shape[1] != outputs.shape[1]:
        raise ValueError("inputs and outputs must be (series, bins) with equally many bins")
    if not usable(shifts) or lags < 1:
        raise ValueError("needs a lag, and three shifts far from each shift")
    if int(shifts.bins[0]) < 0 or int(shifts.bins[-1]) + lags > inputs.shape[1]:
        raise ValueError("a shift with its lags must lie inside the series")


def _empty(inputs: int, outputs: int) -> LinkScores:
    return LinkScores(
        np.zeros((inputs, outputs)),
        np.zeros((inputs, outputs), np.int64),
        np.zeros(CLASSES, np.int64),
    )


def _smoothed(series: Floats, width: int) -> Floats:
    """Running mean of ``width`` bins around the circle."""
    if width == 1:
        return series
    laid = np.concatenate([np.zeros((len(series), 1)), series, series[:, : width - 1]], axis=1)
    running = np.cumsum(laid, axis=1)
    means: Floats = (running[:, width:] - running[:, :-width]) / width
    return means


def _unit(series: Floats) -> Floats:
    """Series of mean 0 and norm 1; all zero where nothing changes."""
    centred = series - series.mean(axis=1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit: Floats = centred / np.where(norm > 0.0, norm, 1.0)
    return unit


def _detrended(series: Floats) -> Floats:
    """Series less their line of least squares."""
    time = np.arange(series.shape[1]) - (series.shape[1] - 1) / 2.0
    mean = series.mean(axis=1, keepdims=True)
    slope = (series @ time / (time @ time))[:, None]
    rest: Floats = series - mean - slope * time
    # a line leaves rounding errors behind, which must not become a rhythm
    large = np.abs(series).max(axis=1, keepdims=True, initial=0.0)
    rest[np.abs(rest).max(axis=1) <= 1e-9 * large[:, 0]] = 0.0
    return rest


@kernel
def _spread(
    series: Integers,
    first: Integers,
    last: Integers,
    octets: Floats,
    start: int,
    width: int,
    binned: Floats,
) -> None:
    bins = binned.shape[1]
    for i in range(len(series)):
        row = binned[series[i]]
        begin, end = first[i] - start, last[i] - start
        if begin == end:
            if 0 <= begin < bins * width:
                row[begin // width] += octets[i]
            continue
        rate = octets[i] / (end - begin)
        for k in range(max(begin // width, 0), min((end - 1) // width + 1, bins)):
            row[k] += rate * (min(end, (k + 1) * width) - max(begin, k * width))


@kernel
def _rhythm(
    ins: Floats,
    twice: Floats,
    scale: Floats,
    shifts: Integers,
    lags: int,
    near: int,
    score: Floats,
    lag: Integers,
    null: Integers,
) -> None:
    bins = ins.shape[2]
    values = np.empty(len(shifts))
    products = np.empty(lags)
    for i in range(ins.shape[1]):
        for o in range(twice.shape[1]):
            for s in range(len(shifts)):
                best = -np.inf
                at = 0
                for w in range(len(scale)):
                    series, other = ins[w, i], twice[w, o]
                    products[:] = 0.0
                    # the inner loop has one sum a lag: the compiler turns it into vectors
                    for t in range(bins):
                        value = series[t]
                        begin = t + shifts[s]
                        for k in range(lags):
                            products[k] += value * other[begin + k]
                    for k in range(lags):
                        bounded = min(max(products[k], -0.999999), 0.999999)
                        value = scale[w] * np.arctanh(bounded)
                        if value > best:
                            best = value
                            at = k
                values[s] = best
                if s == 0:
                    lag[i, o] = at
            score[i, o] = _standardise(values, near, null)


@kernel
def _envelope(
    running: Floats,
    sent: Floats,
    shifts: Integers,
    delay: int,
    near: int,
    score: Floats,
    lag: Integers,
    null: Integers,
) -> None:
    bins = sent.shape[1]
    values = np.empty(len(shifts))
    for i in range(running.shape[0]):
        total_in = running[i, bins]
        for o in range(sent.shape[0]):
            total = sent[o, bins - 1]
            if total <= 0.0 or total_in <= 0.0:
                continue
            grow = total / total_in
            for s in range(len(shifts)):
                # the input moved forward by the shift, so that bin t meets bin t - shift
                at = bins - shifts[s]
                base = running[i, at]
                ahead = 0.0
                behind = 0.0
                between = 0.0
                for t in range(bins):
                    taken = grow * (running[i, at + t + 1] - base)
                    ahead = max(ahead, sent[o, t] - taken)
                    between += taken - sent[o, t]
                    if t >= delay:
                        due = grow * (running[i, at + t + 1 - delay] - base)
                        behind = max(behind, due - sent[o, t])
                values[s] = -np.log((ahead + behind) / total + 1e-6)
                if s == 0:
                    lag[i, o] = np.int64(max(np.rint(between / total), 0.0))
            score[i, o] = _standardise(values, near, null)


@kernel
def _standardise(values: Floats, near: int, null: Integers) -> float:
    """Score of the first value; the scores of the others are counted into ``null``."""
    others = len(values) - 1
    centre = values[1:].mean()
    sums = np.zeros(others + 1)
    squares = np.zeros(others + 1)
    for k in range(others):
        value = values[k + 1] - centre
        sums[k + 1] = sums[k] + value
        squares[k + 1] = squares[k] + value * value
    for k in range(others):
        low, high = max(k - near, 0), min(k + near + 1, others)
        number = others - (high - low)
        z = _standard(
            values[k + 1] - centre,
            sums[others] - sums[high] + sums[low],
            squares[others] - squares[high] + squares[low],
            number,
        )
        place = int((z - LOWEST) / STEP)
        null[min(max(place, 0), CLASSES - 1)] += 1
    return _standard(values[0] - centre, sums[others], squares[others], others)


@kernel
def _standard(value: float, total: float, squares: float, number: int) -> float:
    mean = total / number
    spread = np.sqrt(max(squares / number - mean * mean, 0.0))
    # two equal series give equal values but for rounding
    return (value - mean) / spread if spread > 1e-9 else 0.0
