"""Fits and checks the chances that a conversation is video or pushed pictures.

``python -m benchmarks.routing.content`` simulates conversations of three kinds as a flow record
sums them up, fits the weights of :mod:`lenswatch.measurements.content`, and prints them with their
calibration on other conversations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lenswatch.measurements.content import FEATURES, Content, content_features, content_scores

KINDS = (Content.CONTROL, Content.PICTURES, Content.VIDEO)
Floats = NDArray[np.float64]


def conversations(count: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Features and kinds of ``count`` conversations a kind."""
    random = np.random.default_rng(seed)
    features, kinds = [], []
    for number, kind in enumerate(KINDS):
        span = random.uniform(300, 3600, count)
        if kind is Content.VIDEO:
            # substreams of 64 kbit/s to main streams of 12 Mbit/s, some in pauses (on motion only)
            bits = np.exp(random.uniform(np.log(64e3), np.log(12e6), count))
            always = random.random(count) < 0.8
            active = np.where(always, 1.0, random.uniform(0.1, 1.0, count)) * span
            octets = bits / 8 * active
            packet = random.uniform(700, 1440, count)
            pushed = random.random(count) < 0.35
        elif kind is Content.PICTURES:
            # 8 to 300 kB a picture, one in two seconds to one in two minutes; a connection for
            # each, or one kept open, which then lasts as long as what was sent
            size = np.exp(random.uniform(np.log(8e3), np.log(300e3), count))
            each = np.exp(random.uniform(np.log(2.0), np.log(120.0), count))
            events = np.maximum(span / each, 1.0)
            octets = size * events
            kept = random.random(count) < 0.5
            active = np.where(kept, span, np.minimum(events * random.uniform(0.2, 2, count), span))
            packet = random.uniform(500, 1400, count)
            pushed = random.random(count) < 0.95
        else:
            # keep-alives, status, configuration, time; now and then a page or a firmware check
            bits = np.exp(random.uniform(np.log(20.0), np.log(30e3), count))
            active = np.where(random.random(count) < 0.5, 1.0, random.uniform(0, 0.3, count)) * span
            active = np.maximum(active, 1.0)
            octets = bits / 8 * span
            packet = np.exp(random.uniform(np.log(60), np.log(700), count))
            pushed = random.random(count) < 0.6
        features.append(content_features(octets, octets / packet, active, span, pushed))
        kinds.append(np.full(count, number))
    return np.concatenate(features), np.concatenate(kinds)


def main() -> None:
    """Fit on some seeds, check on others."""
    x, kind = conversations(20_000, 1)

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(len(KINDS) - 1, x.shape[1])
        chance = content_scores(x, weights)
        hit = np.eye(len(KINDS))[kind]
        gradient = ((chance - hit)[:, 1:].T @ x) / len(x) + 1e-4 * weights
        value = -np.log(np.maximum(chance[np.arange(len(x)), kind], 1e-12)).mean()
        return float(value + 5e-5 * (weights**2).sum()), gradient.ravel()

    best = minimize(loss, np.zeros((len(KINDS) - 1) * x.shape[1]), jac=True, method="BFGS")
    weights = best.x.reshape(len(KINDS) - 1, x.shape[1]).round(3)
    print("weights", FEATURES, weights.tolist())
    other, kind = conversations(20_000, 2)
    chance = content_scores(other, weights)
    print("Brier", float(((chance - np.eye(3)[kind]) ** 2).sum(axis=1).mean().round(4)))
    print("| said | pictures: conversations, truly | video: conversations, truly |\n|---|---|---|")
    for low in np.arange(0.0, 1.0, 0.1):
        row = f"| {low:.1f}-{low + 0.1:.1f} |"
        for number in (1, 2):
            here = (chance[:, number] >= low) & (chance[:, number] < low + 0.1 + 1e-9)
            true = float((kind[here] == number).mean()) if here.any() else float("nan")
            row += f" {int(here.sum())}, {true:.2f} |"
        print(row)


if __name__ == "__main__":
    main()
