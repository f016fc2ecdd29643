from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lenswatch.errors import EvidenceError
from lenswatch.harness.declaration import inspect_declaration, read_declaration

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "devices"

GOOD = {
    "schema_version": 1,
    "name": "X100",
    "vendor": "Example",
    "model": "X100",
    "firmware": "4.2",
    "kind": "command",
    "run": ["{python}", "{device}/x.py", "{stimulus}", "{output}/video.mp4"],
    "files": ["x.py"],
    "clock": "told",
    "declared": {"masks_faces": True, "retention_hours": 24, "receivers": []},
}


def write(folder: Path, **changes: object) -> Path:
    (folder / "x.py").write_text("print(1)\n")
    path = folder / "device.yaml"
    content = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_valid(path: Path) -> None:
    assert read_declaration(path).digest.startswith("sha256:")


def test_the_digest_follows_what_is_declared_and_every_file(tmp_path: Path) -> None:
    first = read_declaration(write(tmp_path)).digest
    assert read_declaration(write(tmp_path)).digest == first
    assert read_declaration(write(tmp_path, firmware="4.3")).digest != first
    path = write(tmp_path)
    (tmp_path / "x.py").write_text("print(2)\n")
    assert read_declaration(path).digest != first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "comand"}, "did you mean command"),
        ({"run": None}, "run missing"),
        ({"run": ["{stimulos}"]}, "{stimulus}"),
        ({"files": []}, "not listed under files"),
        ({"files": ["x.py", "../y"]}, "leaves the folder"),
        ({"files": ["x.py", "y.py"]}, "no such file"),
        ({"video": "/etc/passwd"}, "leaves its folder"),
        ({"stores": [{"id": "a", "system": "directory", "path": ".."}]}, "leaves {home}"),
        ({"firmware": 4.2}, "not a text"),
        ({"clok": "told"}, "did you mean clock"),
        (
            {"declared": GOOD["declared"] | {"receivers": [{"name": "a", "address": "1.2.3"}]}},
            "no address",
        ),
        (
            {"declared": GOOD["declared"] | {"receivers": [{"name": "device", "address": "::1"}]}},
            "taken",
        ),
    ],
)
def test_faults_have_a_line_and_a_remedy(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    declaration, faults = inspect_declaration(write(tmp_path, **changes))
    assert declaration is None
    assert any(words in f"{fault.message} {fault.remedy}" for fault in faults), faults
    assert all(fault.line for fault in faults)
    with pytest.raises(EvidenceError, match=r"device\.yaml:\d+: "):
        read_declaration(tmp_path / "device.yaml")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot be opened"):
        read_declaration(tmp_path / "none.yaml")
