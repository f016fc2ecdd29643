"""The cameras of an inventory: ``python -m lenswatch_api.plans.cameras BUNDLE`` as JSON.

A process of its own, as for audits: evidence that breaks a decoder breaks nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lenswatch.errors import LenswatchError
from lenswatch_api.problems import ApiProblem

_SECONDS = 120
_UNUSABLE = 4


def read_cameras(bundle: Path) -> list[str]:
    """Ids of the cameras, in the inventory's order; raises ApiProblem 422 where there is none."""
    try:
        run = subprocess.run(  # noqa: S603  (our own interpreter and module)
            [sys.executable, "-P", "-m", "lenswatch_api.plans.cameras", str(bundle)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ApiProblem(422, "The inventory takes too long to read.", kind="unusable") from None
    if run.returncode == _UNUSABLE:
        raise ApiProblem(422, run.stdout.decode(), kind="unusable")
    if run.returncode != 0:
        raise ApiProblem(422, "The inventory cannot be read.", kind="unusable")
    cameras: list[str] = json.loads(run.stdout)
    if not cameras:
        raise ApiProblem(422, "The inventory has no camera.", kind="unusable")
    return cameras


def _main(bundle: Path) -> int:
    from lenswatch.evidence.bundle import open_bundle

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries that print must not disturb
    with out:
        try:
            inventory = open_bundle(bundle).inventory
        except LenswatchError as error:
            out.write(str(error).replace(f"{bundle}/", "").replace(str(bundle), "bundle"))
            return _UNUSABLE
        json.dump([str(inventory.node_id[row]) for row in inventory.cameras], out)
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1])))
