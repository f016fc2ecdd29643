from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lenswatch.attest import register
from lenswatch.attest.register import Head
from lenswatch.cli import app
from lenswatch.errors import EvidenceError, UsageError
from tests.lenswatch.attest import statements

ENTRIES = [statements.certificate(exceptions=[number]) for number in range(9)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for entry in ENTRIES[:5]:
        register.append(tmp_path / "register", entry)
    return tmp_path / "register"


def test_grows_and_proves(folder: Path) -> None:
    earlier = register.read_head(folder)
    assert earlier.size == 5
    for entry in ENTRIES[5:]:
        register.append(folder, entry)
    head, problems = register.check(folder, earlier)
    assert not problems
    for entry in ENTRIES:
        proof = json.loads(json.dumps(register.prove_inclusion(folder, entry)))
        assert register.proof_holds(proof, head=head, statement=entry)
        assert not register.proof_holds(proof, head=head, statement=entry + b" ")
        assert not register.proof_holds(proof, head=earlier, statement=entry)
    proof = register.prove_consistency(folder, earlier)
    assert register.proof_holds(proof, head=head, since=earlier)
    assert not register.proof_holds(proof, head=head, since=Head(5, bytes(32)))
    assert not register.proof_holds(proof, head=head, since=Head(4, earlier.root))


def test_refuses_what_does_not_belong(folder: Path) -> None:
    with pytest.raises(EvidenceError, match="already"):
        register.append(folder, ENTRIES[0])
    with pytest.raises(EvidenceError, match="no signed statement"):
        register.append(folder, b"{}\n")
    with pytest.raises(UsageError):
        register.prove_inclusion(folder, ENTRIES[8])
    with pytest.raises(UsageError):
        register.prove_consistency(folder, Head(99, bytes(32)))


@settings(max_examples=60)
@given(data=st.data())
def test_any_change_of_a_register_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("register")
    for entry in ENTRIES[:3]:
        register.append(folder, entry)
    name = data.draw(st.sampled_from([register.ENTRIES, register.CHECKPOINT]))
    raw = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    (folder / name).write_bytes(raw)
    try:
        _, problems = register.check(folder)
    except EvidenceError:
        return
    assert problems


def test_taking_out_an_entry_is_found_by_an_earlier_checkpoint(folder: Path) -> None:
    kept = register.read_head(folder)
    lines = (folder / register.ENTRIES).read_bytes().splitlines(keepends=True)
    (folder / register.ENTRIES).unlink()
    (folder / register.CHECKPOINT).unlink()
    for line in lines[:2] + lines[3:] + ENTRIES[6:8]:
        register.append(folder, line)
    head, problems = register.check(folder)
    assert not problems  # whole in itself ...
    _, problems = register.check(folder, kept)
    assert problems  # ... and not the one it was
    assert not register.proof_holds(register.prove_consistency(folder, kept), head=head, since=kept)


def test_an_interrupted_addition_is_not_blessed(folder: Path) -> None:
    with (folder / register.ENTRIES).open("ab") as stream:
        stream.write(ENTRIES[6])
    with pytest.raises(EvidenceError, match="not as its checkpoint"):
        register.append(folder, ENTRIES[7])


def test_command_line(tmp_path: Path) -> None:
    folder, path, key = tmp_path / "register", tmp_path / "c.json", tmp_path / "key.pem"
    path.write_bytes(ENTRIES[0])
    key.write_bytes(statements.private_pem())
    run = CliRunner().invoke
    assert run(app, ["register", "add", str(folder), str(path)]).exit_code == 0
    kept = tmp_path / "kept.json"
    kept.write_bytes((folder / "checkpoint.json").read_bytes())
    revoked = run(
        app,
        ["register", "revoke", str(folder), str(path), "--key", str(key), "--reason", "recalled"],
    )
    assert revoked.exit_code == 0, revoked.output
    assert "Entries: 2" in revoked.output
    assert run(app, ["register", "check", str(folder), "--since", str(kept)]).exit_code == 0
    proof = str(tmp_path / "proof.json")
    head = ["--checkpoint", str(folder / "checkpoint.json")]
    about = ["--statement", str(path)]
    assert run(app, ["register", "prove", str(folder), "--out", proof, *about]).exit_code == 0
    assert run(app, ["register", "check-proof", proof, *head, *about]).exit_code == 0
    wrong = ["--checkpoint", str(kept)]
    assert run(app, ["register", "check-proof", proof, *wrong, *about]).exit_code == 1
    since = ["--since", str(kept)]
    assert run(app, ["register", "prove", str(folder), "--out", proof, *since]).exit_code == 0
    assert run(app, ["register", "check-proof", proof, *head, *since]).exit_code == 0
    judged = run(
        app,
        ["verify", str(path), "--revocations", str(folder), "--at", "2026-12-01T00:00:00Z"],
    )
    assert judged.exit_code == 1
    assert "revoked: Its signer revoked it" in judged.output
    (folder / "entries.jsonl").write_bytes(ENTRIES[0])
    assert run(app, ["register", "check", str(folder)]).exit_code == 1
