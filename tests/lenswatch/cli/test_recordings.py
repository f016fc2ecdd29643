"""``lenswatch recordings``: table, plot, exit codes, and nothing private on the screen."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from typer.testing import CliRunner

from lenswatch.cli import app
from tests.lenswatch.evidence.recordings.stores import mp4, put
from tests.lenswatch.evidence.recordings.test_frigate import build

RUN = CliRunner(env={"COLUMNS": "160"})


def store(tmp_path: Path) -> Path:
    folder = build(tmp_path, "0.18")
    put(folder / "config.yml", b"record: {continuous: {days: 5}}\n")
    put(folder / "clips" / "faces" / "SECRETPERSON" / "1.webp", b"x")
    return folder


def run(*arguments: str) -> tuple[int, str]:
    done = RUN.invoke(app, ["recordings", *arguments])
    return done.exit_code, done.output


def test_table_plot_and_picture(tmp_path: Path) -> None:
    folder, picture = store(tmp_path), tmp_path / "plot.svg"
    when = ("--as-of", "2026-02-01T00:00:00Z")
    code, output = run("frigate", str(folder), *when, "--svg", str(picture))
    assert code == 0
    assert "8.5 days" in output
    assert "10.0 days" in output
    assert "1 exported" in output
    assert "1 rows without a file" in output
    assert "█" in output
    assert "SECRET" not in output
    root = ET.fromstring(picture.read_text())
    assert len(root.findall(".//{http://www.w3.org/2000/svg}rect")) == 8
    assert "SECRET" not in picture.read_text()


def test_a_limit_decides_the_exit_code(tmp_path: Path) -> None:
    folder = str(store(tmp_path))
    when = ("--as-of", "2026-02-01T00:00:00Z")
    assert run("frigate", folder, *when, "--limit", "10")[0] == 1
    assert run("frigate", folder, *when, "--limit", "100000")[0] == 0


def test_a_store_that_cannot_be_read_whole(tmp_path: Path) -> None:
    put(tmp_path / "frigate.db", b"")
    code, output = run("frigate", str(tmp_path))
    assert code == 3
    assert "empty (0 bytes)" in output


def test_wrong_calls(tmp_path: Path) -> None:
    for arguments in (
        ("frigat", str(tmp_path)),
        ("frigate", str(tmp_path / "nothing")),
        ("directory", str(tmp_path), "--as-of", "yesterday"),
        ("directory", str(tmp_path), "--as-of", "2026-01-01T00:00:00"),
        ("directory", str(tmp_path), "--timezone", "Mars/Base"),
    ):
        done = RUN.invoke(app, ["recordings", *arguments])
        assert type(done.exception).__name__ == "UsageError"


def copy_of(root: Path, taken: int, life: int) -> Path:
    """A store that keeps one clip an hour for ``life`` hours, copied ``taken`` hours in."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for hour in range(max(0, taken - life + 1), taken):
        moment = begin + timedelta(hours=hour)
        put(root / "front" / f"{moment:%Y%m%dT%H%M%SZ}.mp4", mp4(moment, 60))
    return root


def test_earlier_copies_tell_the_age_of_deletion(tmp_path: Path) -> None:
    days = {1: 48, 2: 72, 3: 96}
    folders = {day: copy_of(tmp_path / str(day), taken, 24) for day, taken in days.items()}
    options = [
        f"--earlier=2026-01-0{day + 2}T00:00:00Z={folder}"
        for day, folder in folders.items()
        if day != 3
    ]
    code, output = run("directory", str(folders[3]), "--as-of", "2026-01-05T00:00:00Z", *options)
    assert code == 0
    assert "Deletions between 3 copies" in output
    (line,) = [line for line in output.splitlines() if line.startswith("recording ")]
    assert [cell.strip() for cell in line.split("│")[1:3]] == ["69", "46"]
    low, high = re.findall(r"([\d.]+) h", line)
    assert float(low) < 24 < float(high)


def test_a_copy_that_cannot_be_read_shows_no_deletion(tmp_path: Path) -> None:
    folder = store(tmp_path)
    put(tmp_path / "old" / "frigate.db", b"")
    option = f"--earlier=2026-01-01T00:00:00Z={tmp_path / 'old'}"
    code, output = run("frigate", str(folder), "--as-of", "2026-02-01T00:00:00Z", option)
    assert code == 3
    assert "not told" in output


def test_every_manifest_is_a_copy(tmp_path: Path) -> None:
    for day, names in ((2, ("20260101T00", "20260101T12")), (3, ("20260101T12", "20260102T12"))):
        folder = tmp_path / f"2026-01-0{day}T01-00Z"
        rows = "".join(f'"b","front/{name}0000Z.mp4","5"\n' for name in names)
        put(tmp_path / "data" / f"{day}.csv.gz", gzip.compress(rows.encode()))
        taken = int(datetime(2026, 1, day, 1, tzinfo=UTC).timestamp()) * 1000
        manifest = {
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, Size",
            "creationTimestamp": str(taken),
            "files": [{"key": f"data/{day}.csv.gz"}],
        }
        put(folder / "manifest.json", json.dumps(manifest).encode())
    code, output = run("s3-inventory", str(tmp_path), "--as-of", "2026-01-04T00:00:00Z",
                       "--every-manifest", "--limit", "40")  # fmt: skip
    assert code == 1
    (line,) = [line for line in output.splitlines() if line.startswith("recording ")]
    assert [cell.strip() for cell in line.split("│")[1:3]] == ["3", "1"]
    put(tmp_path / "2026-01-04T01-00Z" / "manifest.json", b'{"sourceBucket": "another"}')
    done = RUN.invoke(app, ["recordings", "s3-inventory", str(tmp_path), "--every-manifest"])
    assert done.exit_code != 0


def test_wrong_copies(tmp_path: Path) -> None:
    for options in (
        ("--earlier", "yesterday=."),
        ("--earlier", "2026-01-01T00:00:00=."),
        ("--earlier", "2026-01-01T00:00:00Z=nowhere"),
        ("--earlier", "2026-01-01T00:00:00Z"),
        ("--earlier", f"2026-01-02T00:00:00Z={tmp_path}", "--as-of", "2026-01-02T00:00:00Z"),
        ("--every-manifest",),
    ):
        done = RUN.invoke(app, ["recordings", "directory", str(tmp_path), *options])
        assert type(done.exception).__name__ == "UsageError"
