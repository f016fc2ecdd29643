"""Faces of whole cameras, with a detector of the test's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import faces as module
from lenswatch.measurements.capability import capability, from_geometry, from_inter_eye
from lenswatch.measurements.faces import FaceMeasurements, measure_faces
from lenswatch.measurements.masks import MaskState
from lenswatch.measurements.shares import count_interval, memory_seconds, share_interval
from tests.lenswatch.evidence.video.clips import SquareDetector, scene, write_clip


class Video(NamedTuple):
    node_id: str
    path: Path
    relative: str


@pytest.fixture(autouse=True)
def _squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_detector", lambda name: SquareDetector())


def inventory(*names: str) -> Inventory:
    count = len(names)
    return Inventory(
        pa.table(
            {
                "node_id": list(names),
                "kind": ["camera"] * count,
                "width_px": [160.0] * count,
                "hfov_deg": [60.0] * count,
                "distance_m": [4.0] * count,
            }
        )
    )


def video(folder: Path, node: str, name: str, pictures: list[np.ndarray], **how: object) -> Video:
    (folder / node).mkdir(exist_ok=True)
    write_clip(folder / node / name, pictures, **how)  # type: ignore[arg-type]
    return Video(node, folder / node / name, f"video/{node}/{name}")


def measure(videos: list[Video], **how: int) -> FaceMeasurements:
    cameras = inventory(*sorted({v.node_id for v in videos}))
    return measure_faces(videos, cameras, **how)  # type: ignore[arg-type]


def test_shares_tracks_and_sizes(tmp_path: Path) -> None:
    walk = [scene(i, face=10 <= i < 30) for i in range(40)]
    empty = [scene(0, face=False)] * 30
    videos = [video(tmp_path, "b", "1.mp4", empty), video(tmp_path, "a", "1.mp4", walk)]
    found = measure(videos)
    assert [camera.node_id for camera in found.cameras] == ["a", "b"]
    a, b = found.cameras
    assert found.of("b") is b
    assert found.of("c") is None
    assert a.tracks == 1
    assert a.share_with_face == pytest.approx(0.5, abs=0.13)
    assert a.share_interval is not None
    assert a.share_interval.lower < a.share_with_face < a.share_interval.upper
    assert a.sizes.largest == pytest.approx(24, abs=2)
    assert a.first_seen is not None
    assert a.first_seen[0] == "video/a/1.mp4"
    assert 1.0 <= a.first_seen[1] <= 1.5
    assert a.shares_by_eyes[0][1] == a.share_with_face  # eyes 12 px apart: at least 8
    assert a.shares_by_eyes[4][1] == 0.0  # not 32
    assert b.tracks == 0
    assert b.share_with_face == 0.0
    assert b.share_interval is not None
    assert b.share_interval.lower == 0.0
    assert b.share_interval.upper > 0.5  # three seconds prove little
    assert b.masks.state is MaskState.NOT_OBSERVABLE
    assert math.isnan(b.sizes.largest)
    assert a.declared == b.declared == from_geometry(160, 60, 4)
    assert 0 < a.looked.frames_examined < a.looked.frames_seen == 40
    assert a.light > 60


def test_threads_and_order_of_files_change_nothing(tmp_path: Path) -> None:
    videos = [
        video(tmp_path, node, f"{part}.mp4", [scene(i + part) for i in range(12)])
        for node in "abc"
        for part in (1, 2)
    ]
    first = repr(measure(videos, threads=1))
    assert repr(measure(videos[::-1], threads=2)) == first


def test_unreadable_and_damaged_files_become_problems(tmp_path: Path) -> None:
    good = video(tmp_path, "a", "good.mp4", [scene(i) for i in range(10)])
    cut = tmp_path / "a" / "cut.mp4"
    cut.write_bytes(good.path.read_bytes()[:900])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.mp4").write_bytes(b"not a video")
    found = measure(
        [
            good,
            Video("a", cut, "video/a/cut.mp4"),
            Video("b", tmp_path / "b" / "x.mp4", "video/b/x.mp4"),
        ]
    )
    assert [(p.file, p.subject, p.part) for p in found.problems] == [
        ("video/a/cut.mp4", "node:a", "video"),
        ("video/b/x.mp4", "node:b", "video"),
    ]
    assert found.cameras[0].tracks == 1
    assert found.cameras[0].files == ("video/a/good.mp4",)
    b = found.cameras[1]
    assert math.isnan(b.share_with_face)
    assert b.share_interval is None
    assert b.seconds == 0.0


def test_progress_counts_cameras(tmp_path: Path) -> None:
    videos = [video(tmp_path, node, "1.mp4", [scene(0)] * 3) for node in "ab"]
    told: list[tuple[str, int, int]] = []
    measure_faces(
        videos, inventory("a", "b"), threads=1, progress=lambda *told_now: told.append(told_now)
    )
    assert told == [("faces", 1, 2), ("faces", 2, 2)]
    with pytest.raises(ValueError, match="mode"):
        measure_faces(videos, inventory("a", "b"), mode="slow")
    with pytest.raises(ValueError, match="threads"):
        measure_faces(videos, inventory("a", "b"), threads=0)


def test_classes_of_both_editions() -> None:
    assert capability(19.9) == capability(19.9)
    assert (capability(19.9).level_2014, capability(19.9).level_2025) == ("", "")
    assert (capability(125.0).level_2014, capability(125.0).level_2025) == ("recognise", "perceive")
    assert (capability(1500).level_2014, capability(1500).level_2025) == ("identify", "scrutinise")
    # W / (2 d tan(HFOV / 2)): 1920 px over 90 degrees at 4 m are 240 px/m
    by_geometry = from_geometry(1920, 90, 4)
    assert by_geometry is not None
    assert by_geometry.px_per_m == pytest.approx(240)
    assert from_geometry(1920, 180, 4) is None
    assert from_geometry(math.nan, 90, 4) is None
    seen = from_inter_eye(31.5)
    assert seen is not None
    assert seen.px_per_m == pytest.approx(500)
    assert from_inter_eye(math.nan) is None


def test_intervals_without_a_sighting() -> None:
    ticks = np.zeros(600, np.bool_)  # a minute: thirty looks two seconds apart
    interval = share_interval(ticks, 0.1)
    assert interval is not None
    assert (interval.lower, interval.upper) == (0.0, pytest.approx(1 - 0.05 ** (1 / 30)))
    full = share_interval(~ticks, 0.1)
    assert full is not None
    assert (full.lower, full.upper) == (pytest.approx(0.05 ** (1 / 30)), 1.0)
    assert share_interval(ticks[:0], 0.1) is None
    assert memory_seconds(ticks, 0.1) == 2.0
    assert count_interval(0, 59).upper == pytest.approx(0.0495, abs=1e-4)
    assert count_interval(59, 59).lower == pytest.approx(0.9505, abs=1e-4)
    with pytest.raises(ValueError, match="hits"):
        count_interval(3, 2)


@pytest.mark.parametrize(("share", "visit"), [(0.05, 3.0), (0.3, 5.0), (0.6, 10.0)])
def test_intervals_cover_the_share_they_promise(share: float, visit: float) -> None:
    """Visits that come and go as a Markov chain: 95 % intervals must cover at least 90 % here.

    200 clips of five minutes; the standard error of the coverage is 1.5 points.
    """
    random = np.random.default_rng(11)
    leave = 0.1 / visit
    come = leave * share / (1 - share)
    covered = 0
    for _ in range(200):
        draws = random.random(3000)
        state = random.random() < share
        ticks = np.empty(3000, np.bool_)
        for i, draw in enumerate(draws):
            state = draw >= leave if state else draw < come
            ticks[i] = state
        interval = share_interval(ticks, 0.1)
        assert interval is not None
        covered += interval.lower <= share <= interval.upper
    assert covered >= 180
