"""A slice of the mutated videos; mutations.py runs as many as one likes."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.fuzz.video.mutations import LONGEST_SECONDS, run


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = list(run(300, 0, tmp_path))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert {outcome for outcome, _ in outcomes} == {"read", "refused"}
    assert max(seconds for _, seconds in outcomes) < LONGEST_SECONDS
    assert grown < 1024
