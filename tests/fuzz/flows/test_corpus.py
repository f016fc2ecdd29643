"""Replays the kept corpus of the coverage-guided fuzzer, in every lane."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.flows.corpus import TARGETS, kept
from tests.fuzz.flows.targets import run_one

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("target", TARGETS)
def test_the_kept_corpus_does_no_harm(target: str) -> None:
    inputs = kept(target)
    with np.errstate(all="ignore"):  # unsigned arithmetic wraps on purpose
        decoded = [run_one(target, data) for data in inputs]
    assert len(inputs) > 20
    assert any(rows > 0 for rows in decoded)


def test_a_slice_of_coverage_guided_fuzzing(tmp_path: Path) -> None:
    """Compiled lane only: the fuzzer runs uncompiled code in a process of its own."""
    pytest.importorskip("atheris")
    if os.environ.get("NUMBA_DISABLE_JIT") == "1" or os.environ.get("NUMBA_BOUNDSCHECK") == "1":
        pytest.skip("once is enough")
    script = Path(__file__).with_name("coverage_guided.py")
    found = subprocess.run(
        [sys.executable, str(script), "netflow9", str(tmp_path), "-runs=400", "-max_len=300"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr[-2000:]
    assert "Done 400 runs" in found.stderr
