"""One small simulated city for the whole folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenswatch_sim import simulate

SMALL = {
    "video.seconds": 2,
    "city.districts": ["north", "harbour", "market"],
    "export.aggregation": "sflow",
    "routing.gb28181": True,
    "capture.seconds": 1,
}


@pytest.fixture(scope="session")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with bundle and truth of six cameras of the demo's city."""
    out = tmp_path_factory.mktemp("small")
    simulate("small-city", cameras=6, hours=0.5, seed=4, out=out, changes=SMALL, processes=1)
    return out
