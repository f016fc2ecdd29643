"""An outsider adds a kind of device by an entry point, as docs/harness.md shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from lenswatch.errors import EvidenceError
from lenswatch.harness.declaration import read_declaration
from lenswatch.harness.devices import open_device
from tests.conftest import ROOT

DEVICE = {
    "schema_version": 1,
    "name": "Bench",
    "vendor": "Example",
    "model": "B1",
    "firmware": "1",
    "kind": "bench-camera",
    "settings": {"mirror_port": "eth7"},
    "declared": {"masks_faces": True, "retention_hours": 24, "receivers": []},
}


def test_the_adapter_of_the_docs_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(DEVICE))
    with pytest.raises(EvidenceError, match="no such kind"):
        read_declaration(path)
    page = (ROOT / "docs" / "harness.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(# bench\.py.*?)```", page, re.DOTALL)
    (entry,) = re.findall(r"^bench-camera = .*$", page, re.MULTILINE)
    (tmp_path / "bench.py").write_text(program)
    information = tmp_path / "bench-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[lenswatch.devices]\n" + entry.replace('"', "") + "\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    device = open_device(read_declaration(path))
    assert device.port == "eth7"  # type: ignore[attr-defined]
    assert device.play(None).ended_well  # type: ignore[arg-type]
    sys.modules.pop("bench", None)
