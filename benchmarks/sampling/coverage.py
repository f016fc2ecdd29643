"""Do the confidence sequences keep their promise? Thousands of simulated audits a setting.

Every audit looks after each camera, and counts as wrong if its bound ever excluded the truth: the
harshest rule of stopping there is. Run it with ``python benchmarks/sampling/coverage.py``; with
``--write`` the table in ``docs/statistics.md`` is replaced.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from lenswatch.measurements.shares import share_interval
from lenswatch.sampling import evidence_against, fixed_sample_size
from lenswatch.sampling.sequences import BROAD

ALPHA = 0.05
DOCS = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
TICK = 0.5  # seconds between the looks of a simulated clip

Audit = Callable[[np.random.Generator], bool]


def outcomes(
    chance: np.random.Generator, population: int, bad: int, horizon: int
) -> NDArray[np.bool_]:
    """Cameras in the order of a random draw, the first ``horizon`` of them."""
    found = chance.hypergeometric(bad, population - bad, horizon)
    drawn = np.zeros(horizon, np.bool_)
    drawn[chance.choice(horizon, found, replace=False)] = True
    return drawn


def upper(population: int, bad: int, horizon: int) -> Audit:
    """The upper bound is ever below the truth; at the least breaking share a false certificate."""

    def wrong(chance: np.random.Generator) -> bool:
        drawn = outcomes(chance, population, bad, horizon)
        return evidence_against(drawn, population, bad) >= 1 / ALPHA

    return wrong


def lower(population: int, bad: int, horizon: int) -> Audit:
    """The lower bound is ever above the truth."""

    def wrong(chance: np.random.Generator) -> bool:
        drawn = outcomes(chance, population, bad, horizon)
        return evidence_against(~drawn, population, population - bad, BROAD) >= 1 / ALPHA

    return wrong


def both(population: int, bad: int, horizon: int) -> Audit:
    """The interval of the score, half of the error on each side, ever misses the truth."""

    def wrong(chance: np.random.Generator) -> bool:
        drawn = outcomes(chance, population, bad, horizon)
        least = 2 / ALPHA
        return (
            evidence_against(drawn, population, bad) >= least
            or evidence_against(~drawn, population, population - bad, BROAD) >= least
        )

    return wrong


def weak_detector(population: int, bad: int, horizon: int, sensitivity: float) -> Audit:
    """As ``upper``, where each bad camera is seen to be bad with probability ``sensitivity``."""
    coins = ALPHA / 10
    # the bound is below the truth if so few visible ones are refuted
    visible = int(stats.binom.ppf(coins, bad, sensitivity))
    while special.bdtr(visible - 1, bad, sensitivity) > coins:
        visible -= 1

    def wrong(chance: np.random.Generator) -> bool:
        drawn = outcomes(chance, population, bad, horizon)
        seen = drawn & (chance.random(horizon) < sensitivity)
        return evidence_against(seen, population, visible) >= 1 / (ALPHA - coins)

    return wrong


def peeking(population: int, bad: int, horizon: int, share: float) -> Audit:
    """What happens with the sizes for a fixed number, if one looks all the time and stops."""
    sizes = []
    for failures in range(math.floor(share * population)):
        size = fixed_sample_size(population, share, failures=failures)
        if size is None or size > horizon:
            break
        sizes.append(size)

    def wrong(chance: np.random.Generator) -> bool:
        found = np.cumsum(outcomes(chance, population, bad, horizon))
        return any(found[size - 1] <= failures for failures, size in enumerate(sizes))

    return wrong


def settings() -> list[tuple[str, Audit]]:
    """Name of each setting and its audit."""
    city = 500_000
    rows = []
    for share, horizon in ((0.001, 20_000), (0.01, 5000), (0.05, 2000)):
        breaking = math.floor(share * city) + 1
        name = f"certify ≤ {share:.1%} of 500,000, {breaking:,} bad"
        rows.append((name, upper(city, breaking, horizon)))
    rows += [
        ("certify ≤ 1 % of 1,000, 11 bad, to the census", upper(1000, 11, 1000)),
        ("certify ≤ 10 % of 200, 21 bad, to the census", upper(200, 21, 200)),
        ("upper bound, 30 % of 500,000 bad", upper(city, 150_000, 2000)),
        ("lower bound, 1 % of 500,000 bad", lower(city, 5000, 5000)),
        ("lower bound, 30 % of 10,000 bad", lower(10_000, 3000, 2000)),
        ("interval, 1 % of 500,000 bad", both(city, 5000, 5000)),
        ("interval, 30 % of 500,000 bad", both(city, 150_000, 2000)),
        ("interval, 90 % of 2,000 bad, to the census", both(2000, 1800, 2000)),
        ("detector finds 80 %: certify ≤ 1 % of 500,000", weak_detector(city, 5001, 5000, 0.8)),
        ("detector finds 50 %: certify ≤ 5 % of 2,000", weak_detector(2000, 101, 2000, 0.5)),
        (
            "for contrast: fixed sizes, looked at all the time, ≤ 1 %",
            peeking(city, 5001, 5000, 0.01),
        ),
    ]
    return rows


def run(audits: int, seed: int) -> str:
    """The table, in Markdown."""
    lines = [
        f"| Setting ({audits:,} audits each, seed {seed}) | Wrong | 95 % interval of that rate |",
        "|---|---:|---:|",
    ]
    for number, (name, audit) in enumerate(settings()):
        chance = np.random.default_rng([seed, number])
        wrong = sum(audit(chance) for _ in range(audits))
        interval = stats.binomtest(wrong, audits).proportion_ci(method="exact")
        row = f"| {name} | {wrong / audits:.2%} | {interval.low:.2%} to {interval.high:.2%} |"
        lines.append(row)
        print(row, flush=True)
    return "\n".join(lines)


def clip(chance: np.random.Generator, share: float, visit: float, seconds: float) -> bool:
    """Whether the interval of one clip misses the true share.

    People come and go: visits of exponential length ``visit`` alternate with pauses so that faces
    are in view for ``share`` of the time, and the clip begins somewhere in the middle.
    """
    pause = visit * (1.0 - share) / share
    ticks = np.zeros(round(seconds / TICK), np.bool_)
    in_view = bool(chance.random() < share)
    time = 0.0
    while time < seconds:
        lasts = chance.exponential(visit if in_view else pause)
        ticks[round(time / TICK) : round((time + lasts) / TICK)] = in_view
        time += lasts
        in_view = not in_view
    interval = share_interval(ticks, TICK)
    assert interval is not None
    return not interval.lower <= share <= interval.upper


def run_clips(clips: int, seed: int) -> str:
    """The table of single cameras, in Markdown."""
    lines = [
        f"| Faces in view | Visit lasts | Clip | Covered ({clips:,} clips each) |",
        "|---:|---:|---:|---:|",
    ]
    cases = itertools.product((0.02, 0.1, 0.3), (3.0, 10.0), (60.0, 600.0))
    for number, (share, visit, seconds) in enumerate(cases):
        chance = np.random.default_rng([seed, 1000 + number])
        wrong = sum(clip(chance, share, visit, seconds) for _ in range(clips))
        row = f"| {share:.0%} | {visit:.0f} s | {seconds:.0f} s | {1 - wrong / clips:.1%} |"
        lines.append(row)
        print(row, flush=True)
    return "\n".join(lines)


def put(name: str, table: str) -> None:
    """Replace a table of the docs page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = DOCS.read_text("utf-8")
    head, rest = text.split(begin)
    DOCS.write_text(f"{head}{begin}\n{table}\n{end}{rest.split(end)[1]}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audits", type=int, default=20_000)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--write", action="store_true")
    words = parser.parse_args()
    audits, clips = run(words.audits, words.seed), run_clips(words.clips, words.seed)
    if words.write:
        put("coverage", audits)
        put("clips", clips)


if __name__ == "__main__":
    main()
