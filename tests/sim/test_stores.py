"""The recorders' databases open in sqlite3 and keep every rule of their published schemas."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from lenswatch_sim import simulate

DATABASES = {"frigate": "config/frigate.db", "moonfire": "db/db"}


@pytest.fixture(scope="module", params=sorted(DATABASES))
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    system = str(request.param)
    out = tmp_path_factory.mktemp(system)
    changes = {
        "video.seconds": 1,
        "recording.system": system,
        "recording.exports": 2,
        "city.districts": ["north"],
    }
    simulate("retention-short", 2, 0.1, seed=2, out=out, changes=changes, processes=1)
    return out / "bundle" / "recordings" / "recorder-north" / DATABASES[system]


@pytest.mark.system
def test_sqlite3_finds_the_database_whole(store: Path) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed: the database was NOT opened by it")
    asked = "pragma integrity_check; pragma foreign_key_check; select count(*) > 2 from "
    table = "recording" if store.name == "db" else "recordings"
    done = subprocess.run(
        ["sqlite3", "-readonly", str(store), f"{asked}{table};"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["ok", "1"]


def test_moonfire_describes_every_byte_of_its_sample_files(store: Path) -> None:
    if store.name != "db":
        pytest.skip("of Moonfire alone")
    with closing(sqlite3.connect(store)) as database:
        rows = database.execute(
            "select composite_id, sample_file_bytes, video_samples, video_index, wall_duration_90k "
            "from recording join recording_playback using (composite_id)"
        ).fetchall()
        [(box,)] = database.execute("select data from video_sample_entry limit 1").fetchall()
    assert box[4:8] == b"avc1"
    for composite, size, samples, index, duration in rows:
        numbers = list(varints(index))
        assert len(numbers) == 2 * samples
        lasts = total = octets = 0
        before = {0: 0, 1: 0}
        for first, second in zip(numbers[::2], numbers[1::2], strict=True):
            lasts += unzigzag(first >> 1)
            total += lasts
            before[first & 1] += unzigzag(second)
            octets += before[first & 1]
        assert (octets, total) == (size, duration)
        assert (store.parents[1] / "sample" / f"{composite:016x}").stat().st_size == size


def varints(data: bytes) -> list[int]:
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value = shift = 0
    return found


def unzigzag(value: int) -> int:
    return value >> 1 if value % 2 == 0 else -(value + 1) // 2
