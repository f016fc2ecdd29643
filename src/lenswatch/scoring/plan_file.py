"""``plan.json``: the plan of an audit by sample, read and drawn again.

A plan counts only if it follows from the inventory of the bundle and a public number, as
:mod:`lenswatch.sampling.draws` has it. So an operator cannot hand in a plan of cameras to his
liking: a plan that cannot be drawn again becomes a problem, and no sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenswatch.attest import merkle_root
from lenswatch.documents import read_document
from lenswatch.evidence.bundle import schema
from lenswatch.model import Problem, sentence
from lenswatch.sampling import commit, draw, seed_from
from lenswatch.scoring.sampled import Sample

if TYPE_CHECKING:
    from lenswatch.evidence.inventory import Inventory


def inventory_root(cameras: list[str]) -> bytes:
    """What the operator commits to: the Merkle root over the sorted ids of the cameras."""
    return merkle_root(camera.encode() for camera in sorted(cameras))


def read_plan(
    path: Path, inventory: Inventory
) -> tuple[dict[str, Any], Sample | None, tuple[Problem, ...]]:
    """The plan as it stands in the file, the sample it gives, and what is wrong with it.

    No sample where anything is wrong: the audit then judges as if there were no plan.
    """
    try:
        document = read_document(path, schema("plan"))
    except OSError:
        problem = Problem(
            path.name,
            sentence("cannot be opened"),
            sentence("check that the file is there, and who may read it"),
            part="plan",
        )
        return {}, None, (problem,)
    problems = [
        Problem(path.name, fault.message, fault.remedy, line=fault.line, part="plan")
        for fault in document.faults
    ]
    if problems:
        return {}, None, tuple(problems)
    content: dict[str, Any] = document.content
    cameras = [str(inventory.node_id[row]) for row in inventory.cameras]
    problems = [
        Problem(
            path.name,
            message,
            sentence("make it with lenswatch plan --json, from the inventory of this bundle"),
            line=document.line_of(key),
            part="plan",
        )
        for key, message in _differences(content, cameras)
    ]
    if problems:
        return content, None, tuple(problems)
    sample = Sample(
        nodes=tuple(content["cameras"]),
        level=float(content["sample_level"]),
        sensitivity=float(content["sensitivity"]),
        share=float(content["share"]),
        controls=tuple(content["controls"]),
    )
    return content, sample, ()


def _differences(content: dict[str, Any], cameras: list[str]) -> Iterator[tuple[str, str]]:
    """Where a plan is not what the inventory and the public number give; the first thing only."""
    root = inventory_root(cameras)
    commitment = commit(root, bytes.fromhex(content["nonce"]))
    seed = seed_from(commitment, bytes.fromhex(content["randomness"]))
    if content["inventory_root"] != root.hex():
        yield "inventory_root", sentence("the plan was drawn from another inventory")
    elif content["commitment"] != commitment.hex():
        yield "commitment", sentence("the commitment does not follow from inventory and nonce")
    elif content["seed"] != seed.hex():
        yield "seed", sentence("the seed does not follow from commitment and randomness")
    elif content["cameras"] != draw(cameras, len(content["cameras"]), seed):
        yield "cameras", sentence("these are not the cameras that the seed draws, in its order")
