"""Making a plan of an audit by sample: how many cameras, and which ones.

The plan is a document of plain values, as ``plan.json`` holds it and ``lenswatch plan --json``
prints it. It is made in two steps, so that neither side can steer it: the sizes and the commitment
to the inventory first, the draw after the public randomness is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenswatch.sampling import (
    commit,
    draw,
    frames_to_rule_out,
    plan,
    seed_from,
    sensitivity_bound,
    two_stage_plan,
)


def plan_sizes(
    population: int,
    controls: Sequence[str],
    *,
    share: float,
    level: float,
    failures: int,
    time_share: float,
    reach_cost: float,
    validated: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """How many of ``population`` cameras must be examined to claim "at most ``share`` are bad".

    ``controls`` say what bad is: the error, 1 - ``level``, is shared out over them. ``validated``
    is how many bad cameras a detector found of those it was shown: a fifth of the error is spent on
    what follows for its sensitivity. Raises ``ValueError`` for numbers out of their range.
    """
    sensitivity, sample_level = 1.0, level
    if validated is not None:
        error = 1.0 - level
        sensitivity = sensitivity_bound(*validated, 1.0 - error / 5)
        sample_level = 1.0 - error * 4 / 5
    one = 1.0 - (1.0 - sample_level) / len(controls)
    made = plan(population, share, one, failures=failures, sensitivity=sensitivity)
    two = two_stage_plan(share, time_share, one, reach_cost=reach_cost, sensitivity=sensitivity)
    return {
        "population": population,
        "share": share,
        "level": level,
        "sensitivity": sensitivity,
        "sample_level": sample_level,
        "controls": list(controls),
        "sizes": [
            {"failures": found, "any_time": any_time, "fixed": fixed}
            for found, any_time, fixed in made.sizes
        ],
        "frames_for_one_camera": frames_to_rule_out(time_share, level),
        "two_stage": {
            "time_share": time_share,
            "reach_cost": reach_cost,
            "cameras": two.cameras,
            "frames": two.frames,
        },
    }


def plan_draw(
    cameras: Sequence[str], root: bytes, size: int | None, *, nonce: bytes, randomness: bytes
) -> dict[str, Any]:
    """Which cameras to examine, in order: ``size`` of them, all where it is None.

    ``root`` is the inventory's, see :func:`lenswatch.scoring.inventory_root`. Raises ``ValueError``
    for a nonce or randomness under 16 bytes.
    """
    commitment = commit(root, nonce)
    seed = seed_from(commitment, randomness)
    return {
        "inventory_root": root.hex(),
        "nonce": nonce.hex(),
        "randomness": randomness.hex(),
        "commitment": commitment.hex(),
        "seed": seed.hex(),
        "cameras": draw(cameras, len(cameras) if size is None else size, seed),
    }
