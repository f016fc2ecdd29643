"""The evidence log: whatever byte is changed, somebody notices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lenswatch.attest import (
    check_proof,
    prove_finding,
    read_checkpoint,
    read_settings,
    verify_log,
    write_log,
)
from lenswatch.cli.verify import verify
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.policy import load_packs

FINDINGS = """\
{
"schema_version": "1.0",
"verdicts": [
{"control": "core/face-captured", "subject": "node:a", "verdict": "pass"},
{"control": "core/face-captured", "subject": "node:b", "verdict": "fail"}
]
}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "video" / "a").mkdir(parents=True)
    (folder / "video" / "a" / "clip.mp4").write_bytes(b"pictures")
    (folder / "nodes.csv").write_text("node_id,kind\na,camera\n")
    return folder


@pytest.fixture
def out(tmp_path: Path, bundle: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "findings.json").write_text(FINDINGS)
    (folder / "report.html").write_text("<p>report</p>")
    write_log(
        folder, bundle, packs=load_packs(["core"]), settings={"mode": "fast", "packs": ["core"]}
    )
    return folder


def messages(out: Path, bundle: Path | None = None, root: str = "") -> list[str]:
    found = verify_log(out, bundle=bundle, root=root)
    return [f"{problem.file}: {problem.message}" for problem in found.problems]


def test_untouched(out: Path, bundle: Path) -> None:
    root = read_checkpoint(out).root
    found = verify_log(out, bundle=bundle, root=root.upper())
    assert not found.problems
    assert not found.unchecked
    assert found.checkpoint is not None
    # settings, pack, two files of evidence, two reports, seven lines of findings
    assert found.checkpoint.size == 13
    assert read_settings(out)["mode"] == "fast"


def test_the_same_again_gives_the_same_root(out: Path, bundle: Path) -> None:
    before = (out / "log" / "checkpoint.json").read_bytes()
    write_log(out, bundle, packs=load_packs(["core"]), settings={"mode": "fast", "packs": ["core"]})
    assert (out / "log" / "checkpoint.json").read_bytes() == before


@pytest.mark.parametrize(
    "name",
    ["findings.json", "report.html", "log/entries.jsonl", "log/checkpoint.json"],
)
def test_every_single_byte_of_the_output_counts(out: Path, bundle: Path, name: str) -> None:
    path = out / name
    original = path.read_bytes()
    step = max(1, len(original) // 20)
    for place in [*range(0, len(original), step), len(original) - 1]:
        changed = bytearray(original)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert messages(out, bundle), place
    path.write_bytes(original[:-1])
    assert messages(out, bundle)
    path.write_bytes(original + b"\n")
    assert messages(out, bundle)
    path.write_bytes(original)
    assert not messages(out, bundle)


@pytest.mark.parametrize("name", ["nodes.csv", "video/a/clip.mp4"])
def test_every_single_byte_of_the_evidence_counts(out: Path, bundle: Path, name: str) -> None:
    path = bundle / name
    original = path.read_bytes()
    for place in range(len(original)):
        changed = bytearray(original)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert messages(out, bundle) == [f"{name}: a file of the evidence that was changed since"]


def test_files_that_come_and_go(out: Path, bundle: Path) -> None:
    (bundle / "nodes.csv").unlink()
    (bundle / "exceptions.yaml").write_text("[]")
    (out / "report.html").unlink()
    (out / "report.pdf").write_bytes(b"")
    assert messages(out, bundle) == [
        "report.html: a report that was there is missing",
        "report.pdf: a report that the audit did not know",
        "exceptions.yaml: a file of the evidence that the audit did not know",
        "nodes.csv: a file of the evidence that was there is missing",
    ]


def test_a_rewritten_log_has_another_root(out: Path, bundle: Path) -> None:
    published = read_checkpoint(out).root
    (out / "findings.json").write_text(FINDINGS.replace("fail", "pass"))
    write_log(out, bundle, packs=load_packs(["core"]), settings={})
    assert not messages(out, bundle)
    assert messages(out, bundle, published) == [
        "log/checkpoint.json: another root than the one given"
    ]


def test_another_pack_under_the_same_name(out: Path, bundle: Path, tmp_path: Path) -> None:
    text = """\
schema_version: 1
id: ours
title: Ours
version: "1.0.0"
description: For a test.
extends: [core]
"""
    own = tmp_path / "ours.yaml"
    own.write_text(text)
    write_log(out, bundle, packs=load_packs([str(own)]), settings={})
    found = verify_log(out, bundle=bundle)
    assert "the pack ours: give its file" in found.unchecked
    assert not verify_log(out, packs=[str(own)]).problems
    own.write_text(text + "drop: [route-central]\n")
    (problem,) = verify_log(out, packs=[str(own)]).problems
    assert "another one here" in problem.message


def test_one_finding_alone(out: Path) -> None:
    proof = prove_finding(out, "core/face-captured", "node:b")
    assert proof["root"] == read_checkpoint(out).root
    assert '"verdict": "fail"' in proof["entry"]
    assert "node:a" not in json.dumps(proof)
    assert check_proof(proof)
    assert not check_proof(proof | {"entry": proof["entry"].replace("fail", "pass")})
    assert not check_proof(proof | {"index": proof["index"] - 1})
    assert not check_proof({})
    assert not check_proof(proof | {"proof": ["zz"]})
    with pytest.raises(EvidenceError, match="no such finding"):
        prove_finding(out, "core/face-captured", "node:c")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"null", b'{"size":1}', b"\xff", b"[" * 5000]
)
def test_a_log_that_is_none(out: Path, content: bytes) -> None:
    (out / "log" / "checkpoint.json").write_bytes(content)
    found = verify_log(out)
    assert found.checkpoint is None
    assert found.problems[0].file == "log/checkpoint.json"


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"kind":"pack"}', b'{"kind":7}', b"[" * 5000])
def test_entries_that_are_none(out: Path, line: bytes) -> None:
    path = out / "log" / "entries.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    found = verify_log(out)
    assert any(problem.message == "not an entry" for problem in found.problems)


def run(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(verify)
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_the_command(out: Path, bundle: Path, tmp_path: Path) -> None:
    root = read_checkpoint(out).root
    code, text = run(str(out), "--bundle", str(bundle))
    assert code == 0
    assert root in text
    assert "As it was." in text
    assert "Not checked: whether this is the log that was published" in text
    (out / "report.html").write_text("<p>another</p>")
    code, text = run(str(out), "--root", root, "--json")
    assert code == 1
    content = json.loads(text)
    assert content["problems"][0]["file"] == "report.html"
    assert content["checkpoint"]["root"] == root
    code, text = run(str(tmp_path))
    assert code == 2
    assert "no log here" in text


def test_auditing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    from lenswatch.audit import run_audit
    from tests.lenswatch.builders import write_bundle

    evidence, report = write_bundle(tmp_path / "b"), tmp_path / "r"
    run_audit(evidence, out=report)
    settings = {"mode": "fast", "packs": ["core"]}
    write_log(report, evidence, packs=load_packs(["core"]), settings=settings)
    words = (str(report), "--bundle", str(evidence), "--again")
    code, text = run(*words)
    assert (code, "the same, byte by byte" in text) == (0, True)
    # another inventory, and a log that fits it: only auditing again tells
    nodes = evidence / "nodes.csv"
    nodes.write_text(nodes.read_text().replace("cam-2", "cam-3"))
    write_log(report, evidence, packs=load_packs(["core"]), settings=settings)
    code, text = run(*words)
    assert code == 1
    assert "findings.json is different" in text
    with pytest.raises(UsageError, match="--bundle"):
        refused(str(report), "--again")
    write_log(report, evidence, packs=load_packs(["core"]), settings={})
    with pytest.raises(UsageError, match="by which packs"):
        refused(*words)


def refused(*words: str) -> None:
    app = typer.Typer()
    app.command()(verify)
    CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_missing_parts(out: Path, bundle: Path, tmp_path: Path) -> None:
    assert "gone: no such folder" in messages(out, tmp_path / "gone")
    (out / "findings.json").unlink()
    assert "findings.json: cannot be read" in messages(out)
    (out / "log" / "entries.jsonl").unlink()
    assert "log/entries.jsonl: cannot be read" in messages(out)
    assert read_settings(out) == {}
