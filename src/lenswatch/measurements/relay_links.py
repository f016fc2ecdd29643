"""Which input of a relay is inside which output, when nobody can look inside: inferred links.

Three things are compared, each as a chance under «these two have nothing to do with each other»:

* *rhythm*: correlation of octets in bins, or the causal envelope of a relay that buffers
  (:mod:`lenswatch_kernels.correlation`), against the same series moved around the circle of the
  same hour. Both are tried; the smaller chance is doubled for it.
* *volume*: how near the totals are. Where a wrong input is as likely as any other, the rank of its
  distance among all inputs is uniform, whatever the volumes are.
* where one output is far larger than any input, *mixture*: non-negative least squares of the output
  on all inputs, against inputs moved in time that take part in the same fit.

Rhythm and volume are combined by Fisher's method. Chances of all pairs are turned into false
discovery rates (Benjamini and Hochberg 1995). What happens to all streams at once (dusk, a storm)
makes wrong pairs look alike; if the bulk of the pairs, nearly all of which are wrong, scores higher
or wider than the shifted ones, all scores are brought down by as much (Efron 2004, empirical null).
The width of the bins, that is how often routers export, bounds what can be told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import chdtrc
from scipy.stats import false_discovery_control

from lenswatch_kernels.correlation import (
    LOWEST,
    STEP,
    LinkScores,
    bin_octets,
    envelope_scores,
    null_shifts,
    p_values,
    rhythm_scores,
    usable,
)

Floats = NDArray[np.float64]

LONGEST_DELAY_S = 10.0
"""Delay of a relay up to which it is looked for."""

CLOCK_SKEW_S = 3.0
"""Difference between the clocks of two exporters that is allowed for."""

OVERHEADS = (-0.05, 0.05)
"""Share by which a relay's output may exceed its input as a whole; the same for all its streams.
Measured: 0.0015 to 0.0043 for TLS around what was plain, 0.00003 for RTP inside RTSP, -0.0004 to
0.0002 from TLS to TLS; a relay that gathers small packets into large ones sends less than it
took."""

_ALIKE = 0.0007
"""Overheads of the streams of one relay differ by about so much."""

PLAIN_RATIO = (0.9, 1.15)
"""Output over input between which an output may be one input and nothing else."""

_SMOOTHING_S = (1.0, 2.0, 5.0)
_FEWEST_PAIRS = 30
"""Pairs from which the bulk of them says whether the null distribution is wide enough."""


@dataclass(frozen=True, slots=True)
class StreamLinks:
    """How likely each pair of input and output is a coincidence."""

    p_value: Floats
    """Shape ``(inputs, outputs)``."""
    q_value: Floats
    """Likewise: false discovery rate if this pair and all better ones are taken for links."""
    delay_s: Floats
    """Likewise: delay at which input and output fit best."""
    bin_s: float
    """Width of the bins: no delay or rhythm finer than this could be seen."""
    bins: int
    smallest: float
    """The smallest p-value that this evidence can give to a pair; above the level asked for,
    nothing can be concluded whatever the truth."""


def link_streams(
    inputs: Floats,
    outputs: Floats,
    *,
    bin_s: float,
    longest_delay_s: float = LONGEST_DELAY_S,
    clock_skew_s: float = CLOCK_SKEW_S,
) -> StreamLinks:
    """Test every input against every output of one relay.

    ``inputs`` and ``outputs`` are octets, shapes ``(i, bins)`` and ``(o, bins)``, in bins of
    ``bin_s`` seconds over the time that both were seen. An output may seem to run ahead by
    ``clock_skew_s``. Series too short for a null distribution leave volume alone to speak.
    O(pairs · bins · shifts · lags).
    """
    bins = inputs.shape[1]
    volume = _volume_chance(inputs.sum(axis=1), outputs.sum(axis=1))
    # a skew below half a bin moves less than the bins blur anyway
    early = round(clock_skew_s / bin_s)
    outputs = np.roll(outputs, early, axis=1)
    lags = max(2, early + int(np.ceil(longest_delay_s / bin_s)) + 1)
    reach = max(lags, _memory(np.concatenate([inputs, outputs]))) if bins > 3 else bins
    shifts = null_shifts(bins, reach)
    pairs = volume.size
    if not pairs or not usable(shifts):
        smallest = 1.0 / max(len(inputs), 1)
        return StreamLinks(
            volume, _discovery(volume), np.zeros(volume.shape), bin_s, bins, smallest
        )
    widths = tuple(
        width
        for width in dict.fromkeys(max(1, round(seconds / bin_s)) for seconds in _SMOOTHING_S)
        if bins / width >= 4
    )
    rhythm = rhythm_scores(inputs, outputs, lags=lags, shifts=shifts, widths=widths)
    band = envelope_scores(inputs, outputs, delay=lags - 1, shifts=shifts)
    first, second = _chance(rhythm), _chance(band)
    moved = np.minimum(1.0, 2.0 * np.minimum(first, second))
    delay = (np.where(first <= second, rhythm.lag, band.lag) - early) * bin_s
    p = _fisher(moved, volume)
    floor = np.array([2.0 / (1.0 + float(rhythm.null.sum()))])
    smallest = float(_fisher(floor, np.array([1.0 / len(inputs)]))[0])
    return StreamLinks(p, _discovery(p), delay, bin_s, bins, smallest)


def bin_streams(
    stream: NDArray[np.int64],
    first_ms: NDArray[np.int64],
    last_ms: NDArray[np.int64],
    octets: Floats,
    *,
    count: int,
    start_ms: int,
    bin_ms: int,
    bins: int,
) -> Floats:
    """Series of flow records, shape ``(count, bins)``: octets of each stream in each bin.

    A record is laid out evenly over its time. Where records of a stream are missing, the bin is
    filled from what is left of it, or with the stream's mean rate: a lost record is no silence.
    That needs records longer than a bin; shorter ones (packets) are taken as they are.
    """
    spread = {"count": count, "start": start_ms, "width": bin_ms, "bins": bins}
    series = bin_octets(stream, first_ms, last_ms, octets, **spread)
    length = (last_ms - first_ms).astype(np.float64)
    if not len(length) or float(np.median(length)) < bin_ms / 2:
        return series
    told = bin_octets(stream, first_ms, last_ms, length, **spread) / bin_ms
    total = told.sum(axis=1, keepdims=True)
    rate = series.sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    filled: Floats = np.where(told >= 0.5, series / np.maximum(told, 0.5), rate)
    return filled


@dataclass(frozen=True, slots=True)
class Mixture:
    """Which inputs one output is mixed from."""

    weight: Floats
    """Shape ``(inputs,)``: octets out for each octet in; about 1 for a member, 0 for the rest."""
    p_value: Floats
    """Shape ``(inputs,)``: chance of so great a part for an input that is not in it; NaN where the
    series is too short for as many inputs."""
    delay_s: float
    explained: float
    """Share of the output's ups and downs that the inputs explain."""


def unmix(
    inputs: Floats,
    output: Floats,
    *,
    bin_s: float,
    longest_delay_s: float = LONGEST_DELAY_S,
    rounds: int = 40,
    seed: int = 0,
) -> Mixture:
    """Non-negative least squares of one output on all inputs and a constant.

    In each of ``rounds`` fits every input takes part twice: as it is, and moved in time by more
    than any delay. What the moved ones get is what a stream gets that is not in the mixture, in
    competition with those that are. The part of an input is its weight times the spread of its
    series. Deterministic for a seed.
    """
    count, bins = inputs.shape
    lags = max(1, int(np.ceil(longest_delay_s / bin_s)) + 1)
    lag = min(
        range(min(lags, max(bins // 4, 1))), key=lambda k: (_fit(_lagged(inputs, k), output)[1], k)
    )
    moved = _lagged(inputs, lag)
    weight, rest = _fit(moved, output)
    spread = float(((output - output.mean()) ** 2).sum())
    explained = 1.0 - rest**2 / spread if spread else 0.0
    p = np.full(count, np.nan)
    reach = max(lags, _memory(inputs)) if bins > 3 else bins
    if bins >= 4 * count and bins > 3 * reach:
        random = np.random.default_rng(seed)
        size = moved.std(axis=1)
        own, decoys = np.empty((rounds, count)), np.empty((rounds, count))
        for turn in range(rounds):
            shift = random.integers(reach, bins - reach, count)
            copies = np.stack([np.roll(moved[i], shift[i]) for i in range(count)])
            both, _ = _fit(np.concatenate([moved, copies]), output)
            own[turn], decoys[turn] = both[:count] * size, both[count:] * size
        part = np.median(own, axis=0)
        at_least = (decoys[None, :, :] >= part[:, None, None]).sum(axis=(1, 2))
        p = (1.0 + at_least) / (1.0 + decoys.size)
        p[part <= 0.0] = 1.0
    return Mixture(weight, p, lag * bin_s, explained)


def _fit(series: Floats, output: Floats) -> tuple[Floats, float]:
    """Weights of the series and the norm of what is left; a constant of either sign is allowed."""
    centred = series - series.mean(axis=1, keepdims=True)
    weight, rest = nnls(centred.T, output - output.mean())
    return np.asarray(weight, np.float64), float(rest)


def _lagged(inputs: Floats, lag: int) -> Floats:
    return np.roll(inputs, lag, axis=1)


def _memory(series: Floats) -> int:
    """Bins after which the series have forgotten themselves, by their mean autocorrelation."""
    bins = int(series.shape[1])
    time = np.arange(bins) - (bins - 1) / 2.0
    rest: Floats = series - series.mean(axis=1, keepdims=True)
    rest = rest - (rest @ time / (time @ time))[:, None] * time
    power = (rest**2).sum(axis=1)
    rest = rest[power > 0] / np.sqrt(power[power > 0])[:, None]
    if not len(rest):
        return 1
    longest = max(bins // 3, 1)
    for lag in range(1, longest):
        if float((rest[:, lag:] * rest[:, :-lag]).sum(axis=1).mean()) < 0.1:
            return lag
    return longest


def _volume_chance(taken: Floats, sent: Floats) -> Floats:
    """Rank of each input among all, by the distance of its total from the output's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(sent[None, :] / taken[:, None])
    ratio = ratio - _overhead(ratio)
    distance = np.where(np.isfinite(ratio), np.abs(ratio), np.inf)
    ordered = np.sort(distance, axis=0)
    chance = np.empty(distance.shape)
    for o in range(distance.shape[1]):
        rank = np.searchsorted(ordered[:, o], distance[:, o], side="right")
        chance[:, o] = rank / max(len(distance), 1)
    return chance


def _overhead(ratio: Floats) -> float:
    """The overhead of a relay: where the logarithms of output over input crowd most.

    Each true pair adds one value near it, while those of wrong pairs scatter.
    """
    low, high = (float(np.log1p(bound)) for bound in OVERHEADS)
    near = np.sort(ratio[(ratio >= low) & (ratio <= high)])
    if not len(near):
        return 0.0
    first = np.searchsorted(near, near - _ALIKE, side="left")
    last = np.searchsorted(near, near + _ALIKE, side="right")
    # of equally crowded places the one nearest to no overhead
    best = int(np.lexsort((np.abs(near), first - last))[0])
    return float(np.median(near[first[best] : last[best]]))


def _chance(scores: LinkScores) -> Floats:
    """P-values after the bulk of the pairs had its say."""
    score = scores.score
    if score.size >= _FEWEST_PAIRS:
        below = np.cumsum(scores.null) / max(int(scores.null.sum()), 1)
        middle, low, high = (
            LOWEST + STEP * float(np.searchsorted(below, share)) for share in (0.5, 0.25, 0.75)
        )
        lower, centre, upper = (float(value) for value in np.quantile(score, (0.25, 0.5, 0.75)))
        wide = max((upper - lower) / max(high - low, STEP), 1.0)
        score = (score - max(centre - middle, 0.0) - middle) / wide + middle
    return p_values(score, scores.null)


def _fisher(first: Floats, second: Floats) -> Floats:
    """Fisher's combination of two independent chances."""
    combined: Floats = chdtrc(4.0, -2.0 * (np.log(first) + np.log(second)))
    return combined


def _discovery(p: Floats) -> Floats:
    if not p.size:
        return p
    rates: Floats = np.asarray(false_discovery_control(p.ravel()), np.float64).reshape(p.shape)
    return rates
