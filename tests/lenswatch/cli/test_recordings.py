"""``lenswatch recordings``: table, plot, exit codes, and nothing private on the screen."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from typer.testing import CliRunner

from lenswatch.cli import app
from tests.lenswatch.evidence.recordings.stores import put
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
    code, output = run("frigate", str(folder), "--as-of", "2026-02-01T00:00:00Z", "--svg", str(picture))  # fmt: skip
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
