"""The whole protocol over the example devices; `benchmarks/certification.py` takes 20 seeds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.certification import DESERVED
from lenswatch.cli import app
from lenswatch.harness.certify import run_protocol
from lenswatch.harness.declaration import read_declaration
from lenswatch.harness.stimulus import Extent
from tests.lenswatch.attest import statements

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "devices"
QUICK = ("cheat-first-face", "cheat-uploads")

ELSEWHERE = """
import lenswatch.harness.certify as certify
from lenswatch.cli import main
from lenswatch.harness.stimulus import Extent
certify.SESSIONS = (Extent(pieces=2, honey=1), Extent(pieces=1, honey=1))
main()
"""
"""The command in a process of its own, with sessions as short as those of this test."""

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not all(shutil.which(name) for name in ("unshare", "setpriv", "ip"))
        or not Path("/dev/net/tun").exists()
        or os.geteuid() != 0,
        reason="needs root, unshare, setpriv, ip and /dev/net/tun: certify was NOT checked",
    ),
]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in DESERVED
        if name != "good-solid"
    ],
)
def test_examples_get_what_they_deserve(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in QUICK:
        small = (Extent(pieces=2, honey=1), Extent(pieces=1, honey=1))
        monkeypatch.setattr("lenswatch.harness.certify.SESSIONS", small)
    run = run_protocol(read_declaration(EXAMPLES / f"{name}.yaml"), tmp_path / "out", salt="test")
    causes = [cause.cause for cause in run.causes]
    assert (DESERVED[name] in causes) if DESERVED[name] else not causes


def test_from_declaration_to_a_certificate_that_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "lenswatch.harness.certify.SESSIONS",
        (Extent(pieces=2, honey=1), Extent(pieces=1, honey=1)),
    )
    (tmp_path / "key.pem").write_bytes(statements.private_pem())
    (tmp_path / "public.pem").write_bytes(statements.public_pem())
    device, out = str(EXAMPLES / "good-solid.yaml"), tmp_path / "out"
    run = CliRunner().invoke
    done = run(app, ["certify", device, "--key", str(tmp_path / "key.pem"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    committed = json.loads((out / "commitment.json").read_text())
    check = [
        "verify",
        str(out / "certificate.json"),
        "--key",
        str(tmp_path / "public.pem"),
        "--device",
        device,
        "--json",
    ]
    again = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *check, "--rerun"],
        cwd=tmp_path,
        env=os.environ
        | {
            "HOME": str(tmp_path / "home"),
            "TMPDIR": str(tmp_path),
            "LC_ALL": "C",
            "TZ": "Pacific/Chatham",
            "PYTHONHASHSEED": "77",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert json.loads(again.stdout)["unchecked"] == ["whether it was revoked: give --revocations"]
    other = check.copy()
    other[other.index(device)] = str(EXAMPLES / "good-mosaic.yaml")
    refused = run(app, other)
    assert refused.exit_code == 1
    assert [r["reason"] for r in json.loads(refused.output)["refusals"]] == ["other-device"]
    from lenswatch.attest.certificate import describe

    stated = describe((out / "certificate.json").read_bytes())["predicate"]
    assert stated["device"]["digest"] == committed["device"]
    assert stated["stimulus"]["commitment"] == committed["commitment"]
    page = (out / "certificate.html").read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
