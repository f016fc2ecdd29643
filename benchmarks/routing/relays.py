"""How well links through a relay are found: ``python -m benchmarks.routing.relays [--write]``.

Simulated hours of 1,000 cameras behind ten plain relays of 100. What enters and what leaves is
exported by different routers, as records of an active timeout whose phase is each flow's own. With
``--write`` the table goes into docs/relays.md.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lenswatch.measurements.relay_links import StreamLinks, bin_streams, link_streams
from lenswatch.measurements.shares import count_interval

RELAYS, CAMERAS, SECONDS = 10, 100, 3600
PACKET = 1200.0
PAGE = Path(__file__).parents[2] / "docs" / "relays.md"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """How the evidence of one hour comes about."""

    timeout_s: int
    sampling: int
    rate: str
    """``VBR`` or ``CBR``."""
    loss: float = 0.0
    """Share of records that never arrive."""
    skew_s: float = 0.0
    """Clock of the router behind the relay less that of the router before it."""


def streams(setting: Setting, random: np.random.Generator) -> Floats:
    """Octets a second of each camera of one relay, shape (cameras, seconds).

    VBR follows its scene: activity that lasts half a minute, and noise. CBR cameras have one of
    two set rates that they keep to within 0.2 %, and compensate each second what the last took.
    """
    noise = random.normal(size=(CAMERAS, SECONDS))
    if setting.rate == "CBR":
        mean = random.choice([250_000.0, 500_000.0], CAMERAS) * (
            1.0 + 0.002 * random.normal(size=CAMERAS)
        )
        noise[:, 1:] -= 0.9 * noise[:, :-1]
        return mean[:, None] * np.maximum(1.0 + 0.02 * noise, 0.1)
    mean = 250_000.0 * np.exp(0.4 * random.normal(size=CAMERAS))
    activity = random.normal(size=(CAMERAS, SECONDS))
    keep = np.exp(-1 / 30)
    for t in range(1, SECONDS):
        activity[:, t] = keep * activity[:, t - 1] + np.sqrt(1 - keep**2) * activity[:, t]
    return mean[:, None] * np.exp(0.25 * activity + 0.1 * noise)


def exported(rate: Floats, setting: Setting, skew_s: float, random: np.random.Generator) -> Floats:
    """Series of the records that a router exports of some streams."""
    timeout = setting.timeout_s
    running = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(rate, axis=1)], axis=1)
    columns: list[list[NDArray[np.float64]]] = [[], [], [], []]
    for number, total in enumerate(running):
        phase = random.uniform(0, timeout)
        edges = np.unique(
            np.clip(np.arange(phase - timeout, SECONDS + timeout, timeout), 0, SECONDS)
        )
        octets = np.diff(np.interp(edges, np.arange(SECONDS + 1), total))
        packets = np.rint(octets / PACKET).astype(np.int64)
        counted = random.binomial(packets, 1.0 / setting.sampling) * setting.sampling
        kept = (random.random(len(packets)) >= setting.loss) & (counted > 0)
        for column, values in zip(
            columns,
            (np.full(len(packets), number), edges[:-1], edges[1:], counted * PACKET),
            strict=True,
        ):
            column.append(values[kept])
    stream, first, last, octets = (np.concatenate(column) for column in columns)
    return bin_streams(
        stream.astype(np.int64),
        np.rint((first + skew_s) * 1000).astype(np.int64),
        np.rint((last + skew_s) * 1000).astype(np.int64),
        octets,
        count=len(rate),
        start_ms=0,
        bin_ms=timeout * 1000,
        bins=SECONDS // timeout,
    )


def one_relay(setting: Setting, random: np.random.Generator) -> StreamLinks:
    """Input i of the relay leaves it as output i."""
    rate = streams(setting, random)
    delay = random.uniform(0.05, 0.5, CAMERAS)
    overhead = random.uniform(1.0015, 1.0043, CAMERAS)
    moments = np.arange(SECONDS + 1)
    running = np.concatenate([np.zeros((CAMERAS, 1)), np.cumsum(rate, axis=1)], axis=1)
    after = np.stack(
        [
            np.diff(np.interp(moments - delay[i], moments, running[i])) * overhead[i]
            for i in range(CAMERAS)
        ]
    )
    return link_streams(
        exported(rate, setting, 0.0, random),
        exported(after, setting, setting.skew_s, random),
        bin_s=setting.timeout_s,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one setting gave over all its relays."""

    found: float
    """Share of true pairs beyond the score that one wrong pair in a thousand reaches."""
    claimed: float
    """Share of true pairs that are reported as links: false discovery rate at most 1 %."""
    wrong: int
    """Wrong pairs reported as links."""
    below: float
    """Share of wrong pairs with a p-value of at most 1e-3, which that p-value promises."""
    low: float
    high: float
    """95 % interval of that share."""
    discovered: int


def outcome(setting: Setting, seed: int = 1) -> Outcome:
    """Run one setting."""
    random = np.random.default_rng([seed, setting.timeout_s, setting.sampling])
    true, wrong, claimed_true, claimed_wrong = [], [], 0, 0
    same = np.eye(CAMERAS, dtype=bool)
    for _ in range(RELAYS):
        links = one_relay(setting, random)
        true.append(links.p_value[same])
        wrong.append(links.p_value[~same])
        claimed = links.q_value <= 0.01
        claimed_true += int(claimed[same].sum())
        claimed_wrong += int(claimed[~same].sum())
    right, others = np.concatenate(true), np.concatenate(wrong)
    threshold = np.quantile(others, 1e-3, method="lower")
    below = int((others <= 1e-3).sum())
    interval = count_interval(below, len(others))
    return Outcome(
        float((right < threshold).mean()),
        claimed_true / len(right),
        claimed_wrong,
        below / len(others),
        interval.lower,
        interval.upper,
        claimed_true + claimed_wrong,
    )


def settings() -> list[Setting]:
    """The published grid, and loss and skew at the common timeouts."""
    plain = [
        Setting(timeout, sampling, rate)
        for rate, timeout, sampling in itertools.product(
            ("VBR", "CBR"), (10, 60, 300, 1800), (1, 100, 1000)
        )
    ]
    spoilt = [
        Setting(timeout, 1, "VBR", loss, skew)
        for timeout, (loss, skew) in itertools.product(
            (10, 60, 300), ((0.01, 0.0), (0.05, 0.0), (0.0, 2.0), (0.0, -2.0), (0.05, 2.0))
        )
    ]
    return plain + spoilt


def rows() -> list[str]:
    """The table, in Markdown."""
    lines = [
        "| rate | active timeout | sampling | records lost | clock skew | found at 1 false alarm "
        "in 1,000 | reported (FDR ≤ 1 %) | wrong among reported | p ≤ 0.001 among wrong pairs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for setting in settings():
        began = time.perf_counter()
        got = outcome(setting)
        lines.append(
            f"| {setting.rate} | {setting.timeout_s} s | 1:{setting.sampling} | "
            f"{setting.loss:.0%} | {setting.skew_s:g} s | {got.found:.3f} | {got.claimed:.3f} | "
            f"{got.wrong} of {got.discovered} | {got.below:.5f} "
            f"({got.low:.5f}-{got.high:.5f}) |"
        )
        print(lines[-1], f"{time.perf_counter() - began:.1f} s", flush=True)
    return lines


def main() -> None:
    """Print the table, or put it into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/relays.md")
    options = parser.parse_args()
    table = "\n".join(rows())
    if options.write:
        head, _, rest = PAGE.read_text("utf-8").partition("<!-- table -->\n")
        _, _, tail = rest.partition("<!-- end of table -->")
        PAGE.write_text(
            f"{head}<!-- table -->\n{table}\n<!-- end of table -->{tail}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
