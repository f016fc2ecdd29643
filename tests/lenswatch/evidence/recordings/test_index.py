# ruff: noqa: E501  (rows of data stay rows)
"""``recordings/index.yaml``: every fault has a file, a line and a remedy, and nothing leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenswatch.evidence.recordings.index import SYSTEMS, StoreDeclaration, read_index
from lenswatch.evidence.recordings.systems import _MODULES
from lenswatch.model import Problem

GOOD = """version: 1
stores:
  - id: nvr
    system: frigate
    node: r1
    path: nvr
    timezone: Europe/Berlin
    cameras: {front: c1, "2": c2}
    path_map: {/media/frigate: media}
  - id: live
    system: zoneminder
    database: mysql://lenswatch@db/zm
"""


def read(tmp_path: Path, text: str | bytes) -> tuple[tuple[StoreDeclaration, ...], tuple[Problem, ...]]:  # fmt: skip
    folder = tmp_path / "recordings"
    folder.mkdir(exist_ok=True)
    raw = text if isinstance(text, bytes) else text.encode()
    (folder / "index.yaml").write_bytes(raw)
    return read_index(folder / "index.yaml", root=tmp_path)


def test_a_good_index(tmp_path: Path) -> None:
    stores, problems = read(tmp_path, GOOD)
    assert problems == ()
    first, second = stores
    assert (first.id, first.system, first.node, first.path, first.line) == ("nvr", "frigate", "r1", "nvr", 3)  # fmt: skip
    assert dict(first.cameras) == {"front": "c1", "2": "c2"}
    assert first.described("a", "b.mp4") == "recordings/nvr/a/b.mp4"
    assert second.database == "mysql://lenswatch@db/zm"


def test_every_system_has_a_reader() -> None:
    assert sorted(_MODULES) == list(SYSTEMS)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version: 2\nstores: []\n", 1, "version"),
        ("version: 1\nstores: []\nextra: 1\n", 1, "unknown key"),
        ("version: 1\nstores:\n  - id: a\n    system: frigat\n    path: a\n", 4, "system"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    paths: a\n", 3, "unknown key"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n", 3, "path: missing"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    path: ../x\n", 5, "leaves the bundle"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    path: /etc\n", 5, "leaves the bundle"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    path: link\n", 5, "leaves the bundle"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    path: a\n    config: ../../c\n", 6, "leaves the bundle"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    path: a\n    path_map: {/x: ../../y}\n", 6, "leaves the bundle"),
        ("version: 1\nstores:\n  - id: a\n    system: frigate\n    path: a\n    timezone: Mars/Base\n", 6, "not a known zone"),
        ("version: 1\nstores:\n  - id: a\n    system: zoneminder\n    database: mysql://u:secret@h/zm\n", 5, "holds a password"),
        ("version: 1\nstores:\n  - {id: a, system: frigate, path: a}\n  - {id: a, system: frigate, path: b}\n", 4, "stands twice"),
        ("version: 1\nstores:\n  - id: a\n   system: x\n", 4, "not valid YAML"),
        ("", None, "empty"),
        (b"\xff\xfe\x00", 1, "not UTF-8"),
    ],
)  # fmt: skip
def test_faults_name_file_line_and_remedy(
    tmp_path: Path, text: str | bytes, line: int | None, words: str
) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "link").symlink_to("/etc")
    _, problems = read(tmp_path, text)
    found = [p for p in problems if words in p.message]
    assert found, problems
    assert found[0].file == "recordings/index.yaml"
    assert found[0].line == line
    assert found[0].remedy
    assert "secret" not in repr(problems)


def test_the_good_stores_are_kept(tmp_path: Path) -> None:
    text = GOOD + "  - {id: bad, system: nothing, path: x}\n"
    stores, problems = read(tmp_path, text)
    assert [store.id for store in stores] == ["nvr", "live"]
    assert len(problems) == 1


def test_alias_bombs_and_missing_files(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))  # fmt: skip
    stores, problems = read(tmp_path, bomb)
    assert stores == ()
    assert problems
    stores, problems = read_index(tmp_path / "nothing.yaml", root=tmp_path)
    assert stores == ()
    assert "cannot be opened" in problems[0].message
