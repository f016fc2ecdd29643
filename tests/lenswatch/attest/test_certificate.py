from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lenswatch.attest.certificate import (
    check_certificate,
    issue,
    read_revocations,
    revoke,
)
from lenswatch.attest.envelope import Reason, Refused, open_sealed, open_signer, read_public_key
from lenswatch.cli import app
from lenswatch.errors import EvidenceError, UsageError
from tests.lenswatch.attest import statements

CERTIFICATE = statements.certificate()


def public_key(folder: Path, number: int = 1):
    path = folder / f"key-{number}.pem"
    path.write_bytes(statements.public_pem(number))
    return read_public_key(path)


def reasons(raw: bytes, **how: object) -> set[str]:
    how = {"at": statements.WITHIN} | how
    return {refusal.reason.value for refusal in check_certificate(raw, **how).refusals}  # type: ignore[arg-type]


def test_a_good_certificate_holds(tmp_path: Path) -> None:
    found = check_certificate(
        CERTIFICATE,
        key=public_key(tmp_path),
        at=statements.WITHIN,
        revocations=[],
        device_digest=statements.DEVICE,
    )
    assert not found.refusals
    assert not found.unchecked
    assert found.opened is not None
    assert found.opened.predicate["signer"]["keyid"] == found.opened.key_id


def test_what_was_not_looked_at_is_said() -> None:
    found = check_certificate(CERTIFICATE, at=statements.WITHIN)
    assert not found.refusals
    assert len(found.unchecked) == 3


def test_every_byte_counts() -> None:
    for place in range(len(CERTIFICATE)):
        changed = bytearray(CERTIFICATE)
        changed[place] ^= 1
        found = reasons(bytes(changed))
        assert found in ({"altered"}, {"unreadable"}), place


@settings(max_examples=400)
@given(
    place=st.integers(0, len(CERTIFICATE)),
    cut=st.integers(0, 40),
    put=st.binary(max_size=40),
)
def test_any_change_is_refused(place: int, cut: int, put: bytes) -> None:
    changed = CERTIFICATE[:place] + put + CERTIFICATE[place + cut :]
    if changed != CERTIFICATE:
        assert reasons(changed) & {"altered", "unreadable"}


def test_another_form_of_the_same_content_is_refused() -> None:
    content = json.loads(CERTIFICATE)
    assert reasons(json.dumps(content).encode()) == {"altered"}
    assert reasons(CERTIFICATE + b"\n") == {"altered"}
    # the last base64 character of 64 signature bytes has four spare bits
    signature = content["signatures"][0]["sig"]
    last = signature[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(last) ^ 1]
    spare = CERTIFICATE.replace(signature.encode(), (signature[:-3] + other + "==").encode())
    assert spare != CERTIFICATE
    assert reasons(spare) & {"altered", "unreadable"}


@pytest.mark.parametrize(
    "hostile", [b"", b"{}", b"[" * 100_000, b"null", b'{"payload": 1}', b"\xff" * 10]
)
def test_no_statement_at_all(hostile: bytes) -> None:
    assert reasons(hostile) == {"unreadable"}


def test_another_key(tmp_path: Path) -> None:
    assert reasons(statements.certificate(2), key=public_key(tmp_path, 1)) == {"other-key"}


def test_a_signer_cannot_borrow_a_key(tmp_path: Path) -> None:
    """The key inside is replaced by the wanted one, the signature is still of another."""
    forged = json.loads(statements.certificate(2))
    forged["signatures"][0]["keyid"] = public_key(tmp_path, 1).keyid
    raw = json.dumps(forged, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    assert reasons(raw, key=public_key(tmp_path, 1)) == {"altered"}


def test_period() -> None:
    assert reasons(CERTIFICATE, at=datetime(2027, 11, 24, tzinfo=UTC)) == {"expired"}
    assert reasons(CERTIFICATE, at=datetime(2027, 11, 23, 23, 59, 59, tzinfo=UTC)) == set()
    assert reasons(CERTIFICATE, at=datetime(2026, 11, 23, tzinfo=UTC)) == {"not-yet-valid"}


def test_another_device() -> None:
    assert reasons(CERTIFICATE, device_digest="sha256:" + "cd" * 32) == {"other-device"}


def test_revoked(tmp_path: Path) -> None:
    revocation = revoke(
        CERTIFICATE, statements.signer(), reason="firmware recalled", at=statements.WITHIN
    )
    assert reasons(CERTIFICATE, revocations=[revocation]) == {"revoked"}
    other = statements.certificate(firmware="other", exceptions=["x"])
    assert reasons(other, revocations=[revocation]) == set()
    with pytest.raises(Refused):
        revoke(CERTIFICATE, statements.signer(2), reason="", at=statements.WITHIN)
    listed = tmp_path / "revocations.jsonl"
    listed.write_bytes(revocation + CERTIFICATE)
    assert reasons(CERTIFICATE, revocations=read_revocations(listed)) == {"revoked"}
    listed.write_bytes(CERTIFICATE + revocation[:-5])
    with pytest.raises(EvidenceError, match=r":2: .*damaged"):
        read_revocations(listed)


def test_a_stranger_cannot_revoke() -> None:
    """A revocation whose content is right but whose key is another's has no effect."""
    from lenswatch.attest.certificate import REVOCATION, _statement, certificate_digest
    from lenswatch.attest.envelope import seal

    content = {"schema_version": 1, "reason": "spite", "at": "2026-11-25T00:00:00Z"}
    digest = certificate_digest(CERTIFICATE)
    forged = seal(_statement(REVOCATION, "Example X100", digest, content), statements.signer(2))
    assert reasons(CERTIFICATE, revocations=[forged]) == set()


def fails() -> list[dict[str, object]]:
    return [statements.VERDICTS[0] | {"verdict": "fail"}]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"verdict_digest": "sha256:00"}, "inconsistent"),
        ({"simulator": {"seed": 1, "digest": ""}}, "inconsistent"),
        ({"stimulus": {"salt": "other", "beacon": "", "commitment": ""}}, "inconsistent"),
        ({"verdicts": []}, "not-passed"),
        ({"verdicts": fails()}, "not-passed"),
        ({"verdicts": [{"verdict": "pass"}]}, "inconsistent"),
        ({"expires": "soon"}, "inconsistent"),
    ],
)
def test_signed_nonsense_is_refused(changes: dict[str, object], reason: str) -> None:
    assert reason in reasons(statements.certificate(**changes))


def test_what_must_be_stated() -> None:
    content = statements.predicate()
    del content["bundle_digest"]
    with pytest.raises(ValueError, match="bundle_digest"):
        issue(content, statements.signer())


def test_a_statement_of_another_kind() -> None:
    revocation = revoke(CERTIFICATE, statements.signer(), reason="", at=statements.WITHIN)
    assert reasons(revocation) == {"unreadable"}


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    path = tmp_path / "key.pem"
    path.write_bytes(statements.private_pem())
    assert open_signer(str(path)).public_key.keyid == statements.signer().public_key.keyid
    locked = statements.private_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    path.write_bytes(locked)
    with pytest.raises(UsageError, match="LENSWATCH_KEY_PASSWORD"):
        open_signer(str(path))
    monkeypatch.setenv("LENSWATCH_KEY_PASSWORD", "secret")
    assert open_signer(str(path))
    with pytest.raises(UsageError, match="cannot be opened"):
        open_signer(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="--public-key"):
        open_signer("awskms:alias/x")
    public = tmp_path / "public.pem"
    public.write_bytes(statements.public_pem())
    with pytest.raises(UsageError, match="awskms") as caught:
        open_signer("awskms:alias/x", public)
    assert "alias" not in str(caught.value)
    with pytest.raises(UsageError, match="no public key"):
        read_public_key(path)


def test_command_line(tmp_path: Path) -> None:
    path, key = tmp_path / "certificate.json", tmp_path / "vendor.pem"
    path.write_bytes(CERTIFICATE)
    key.write_bytes(statements.public_pem())
    run = CliRunner().invoke
    good = run(app, ["verify", str(path), "--key", str(key), "--at", "2026-12-01T00:00:00Z"])
    assert good.exit_code == 0, good.output
    assert "Example X100" in good.output
    assert "Not checked: whether it was revoked" in good.output
    late = run(app, ["verify", str(path), "--at", "2030-01-01T00:00:00Z", "--json"])
    assert late.exit_code == 1
    assert [r["reason"] for r in json.loads(late.output)["refusals"]] == ["expired"]
    path.write_bytes(CERTIFICATE[:-9])
    assert run(app, ["verify", str(path)]).exit_code == 1
    assert isinstance(run(app, ["verify", str(path), "--again"]).exception, UsageError)
    assert isinstance(run(app, ["verify", str(tmp_path), "--at", "x"]).exception, UsageError)
    assert isinstance(run(app, ["verify", str(path), "--at", "noon"]).exception, UsageError)


def test_reasons_are_words_for_machines() -> None:
    assert all(re.fullmatch("[a-z-]+", reason) for reason in Reason)


def test_seconds_matter_at_the_end(tmp_path: Path) -> None:
    end = datetime(2027, 11, 24, tzinfo=UTC)
    assert reasons(CERTIFICATE, at=end - timedelta(seconds=1)) == set()
    assert open_sealed(CERTIFICATE).predicate["expires"] == "2027-11-24T00:00:00Z"
