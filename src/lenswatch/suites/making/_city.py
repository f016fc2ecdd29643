"""What the makers that simulate a whole deployment share."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lenswatch.errors import UsageError


@contextmanager
def simulated(
    folder: Path,
    scenario: str,
    *,
    cameras: int,
    hours: float,
    seed: int,
    changes: Mapping[str, Any],
) -> Iterator[Path]:
    """Simulate, leave the bundle at ``folder / bundle``, and give the folder of the truth.

    The truth goes away with the context: nothing of it may lie near a tool. Raises
    :class:`~lenswatch.errors.UsageError` for a scenario or a change that the simulator refuses.
    """
    from lenswatch_sim import ScenarioError, simulate

    with tempfile.TemporaryDirectory(prefix="lenswatch-truth-") as name:
        aside = Path(name)
        try:
            simulate(
                scenario,
                cameras=cameras,
                hours=hours,
                seed=seed,
                out=aside,
                changes=changes,
                processes=1,  # cases are made beside each other already
            )
        except (ScenarioError, ValueError) as error:
            raise UsageError(f"scenario {scenario}: {error}") from None
        # a scenario of several cities has a folder for each: the first one is taken
        made = next(iter(sorted(aside.rglob("bundle"))))
        shutil.move(made, folder / "bundle")
        yield made.parent / "truth"


def read_json(path: Path) -> Any:
    """Content of one of the simulator's own files."""
    return json.loads(path.read_text("utf-8"))
