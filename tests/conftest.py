"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("LENSWATCH_SHARED", ROOT.parent / "shared"))

# Derandomised: a red run must be red again for whoever repeats it.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labelled photos, captures and clips; tests skip where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("real evidence not here: ../shared/data is absent, so this was NOT checked")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud when the tests over real evidence did not run."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if "shared" in getattr(report, "keywords", {})
    ]
    if skipped:
        terminalreporter.write_line(
            f"NOT CHECKED on real evidence: {len(skipped)} tests need ../shared, which is absent.",
            yellow=True,
        )
