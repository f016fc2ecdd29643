"""A public register: certificates and revocations in a Merkle log that anyone can host and check.

A register is a folder of files::

    entries.jsonl     signed statements, one a line, in the order they came
    checkpoint.json   their number, and their Merkle root (RFC 6962)

A host can serve the folder as it is. Who keeps a checkpoint can later ask for a proof that the
register still begins with what it held then: nothing was taken out or changed.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

from lenswatch.attest.envelope import LARGEST_ENVELOPE, Refused, open_sealed
from lenswatch.attest.merkle import (
    EMPTY_ROOT,
    TreeHead,
    consistency_proof,
    continues,
    includes,
    inclusion_proof,
    leaf_hash,
)
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.model import Problem

ENTRIES = "entries.jsonl"
CHECKPOINT = "checkpoint.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Head:
    """A register at one moment."""

    size: int
    root: bytes
    """32 bytes."""

    def to_json(self) -> bytes:
        """The content of ``checkpoint.json``."""
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "size": self.size,
            "root": self.root.hex(),
        }
        return rfc8785.dumps(content) + b"\n"


def read_head(path: Path) -> Head:
    """A checkpoint from its file, or from the folder of a register.

    Raises :class:`~lenswatch.errors.EvidenceError` where it is none.
    """
    file = path / CHECKPOINT if path.is_dir() else path
    try:
        raw = file.read_bytes()
        content = json.loads(raw)
        head = Head(content["size"], bytes.fromhex(content["root"]))
        if head.to_json() != raw or len(head.root) != 32 or head.size < 0:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise EvidenceError(
            "no checkpoint of a register",
            file=str(file),
            remedy="`lenswatch register add` makes it",
        ) from None
    return head


def append(folder: Path, statement: bytes) -> Head:
    """Add a signed statement at the end; the new checkpoint.

    Makes the folder where there is none. Raises :class:`~lenswatch.errors.EvidenceError` for a
    statement that is not whole or is already there, and for a register that is not as it was left:
    adding to it would bless the change.
    """
    _require_whole(statement, "the statement")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        lines = list(_lines(folder)) if (folder / ENTRIES).exists() else []
        before = _head(lines)
        known = read_head(folder) if (folder / CHECKPOINT).exists() else Head(0, EMPTY_ROOT)
        if before != known:
            raise EvidenceError(
                "the register is not as its checkpoint says",
                file=str(folder),
                remedy="look with `lenswatch register check`, and restore it from another copy",
            )
        if statement in lines:
            raise EvidenceError(
                "already in the register", file=str(folder), remedy="nothing needs to be done"
            )
        after = _head([*lines, statement])
        # The checkpoint last: an interrupted call leaves a register that says so.
        with (folder / ENTRIES).open("ab") as stream:
            stream.write(statement)
        partial = folder / f"{CHECKPOINT}.partial"
        partial.write_bytes(after.to_json())
        partial.replace(folder / CHECKPOINT)
    return after


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _require_whole(statement: bytes, file: str) -> None:
    try:
        open_sealed(statement)
    except Refused as refused:
        raise EvidenceError(
            refused.refusal.message.rstrip("."), file=file, remedy="add signed statements only"
        ) from None


def _lines(folder: Path) -> Iterator[bytes]:
    with (folder / ENTRIES).open("rb") as stream:
        while line := stream.readline(LARGEST_ENVELOPE):
            yield line


def _head(lines: list[bytes]) -> Head:
    return head_of([leaf_hash(line) for line in lines])


def check(folder: Path, since: Head | None = None) -> tuple[Head, tuple[Problem, ...]]:
    """Look at a whole register: its root, every statement, and that it continues ``since``.

    Raises :class:`~lenswatch.errors.EvidenceError` where there is no register.
    """
    head = read_head(folder)
    problems: list[Problem] = []
    try:
        lines = list(_lines(folder))
    except OSError:
        lines = []
        if head.size:
            problems.append(Problem(ENTRIES, "cannot be read", "get the folder anew"))
    for number, line in enumerate(lines, 1):
        try:
            open_sealed(line)
        except Refused as refused:
            problems.append(
                Problem(
                    ENTRIES,
                    f"not a whole signed statement ({refused.refusal.reason})",
                    "get the folder anew",
                    line=number,
                )
            )
    if _head(lines) != head:
        problems.append(
            Problem(
                CHECKPOINT,
                "the root does not fit the entries: one of the two was changed",
                "trust neither, and get the folder from another host",
            )
        )
    if since is not None and (since.size > len(lines) or _head(lines[: since.size]) != since):
        problems.append(
            Problem(
                ENTRIES,
                f"the register does not continue the one of {since.size} entries",
                "keep the earlier checkpoint: it shows that something was changed or taken out",
            )
        )
    return head, tuple(problems)


def prove_inclusion(folder: Path, statement: bytes) -> dict[str, Any]:
    """Plain values that show a statement to be in the register, without the other entries.

    Raises :class:`~lenswatch.errors.UsageError` where it is not in it.
    """
    lines = list(_lines(folder)) if read_head(folder).size else []
    if statement not in lines:
        raise UsageError("the register does not hold this statement")
    return inclusion([leaf_hash(line) for line in lines], lines.index(statement))


def prove_consistency(folder: Path, since: Head) -> dict[str, Any]:
    """Plain values that show the register to continue an earlier one.

    Raises :class:`~lenswatch.errors.UsageError` for an earlier one that is empty or longer.
    """
    size = read_head(folder).size
    if not 1 <= since.size <= size:
        raise UsageError(f"a register of {size} entries continues none of {since.size}")
    return consistency([leaf_hash(line) for line in _lines(folder)], since)


def head_of(hashes: Sequence[bytes]) -> Head:
    """The checkpoint of a register with these leaf hashes, wherever its entries are kept."""
    head = TreeHead()
    for node in hashes:
        head.append_hash(node)
    return Head(head.size, head.root)


def inclusion(hashes: Sequence[bytes], index: int) -> dict[str, Any]:
    """Plain values that show entry ``index`` to be among those with these leaf hashes."""
    head = head_of(hashes)
    return {
        "kind": "inclusion",
        "index": index,
        "size": head.size,
        "root": head.root.hex(),
        "proof": [node.hex() for node in inclusion_proof(hashes, index)],
    }


def consistency(hashes: Sequence[bytes], since: Head) -> dict[str, Any]:
    """Plain values that show entries with these leaf hashes to continue an earlier register."""
    head = head_of(hashes)
    return {
        "kind": "consistency",
        "earlier_size": since.size,
        "earlier_root": since.root.hex(),
        "size": head.size,
        "root": head.root.hex(),
        "proof": [node.hex() for node in consistency_proof(hashes, since.size)],
    }


def proof_holds(
    proof: Mapping[str, Any],
    *,
    head: Head,
    statement: bytes | None = None,
    since: Head | None = None,
) -> bool:
    """Whether a proof holds under ``head``, a checkpoint that the reader trusts.

    An inclusion proof needs ``statement``, a consistency proof ``since``. False for a malformed
    proof, and for one about something else.
    """
    try:
        nodes = [bytes.fromhex(node) for node in proof["proof"]]
        if proof["size"] != head.size or bytes.fromhex(proof["root"]) != head.root:
            return False
        if proof["kind"] == "inclusion" and statement is not None:
            return includes(statement, proof["index"], head.size, nodes, head.root)
        if proof["kind"] == "consistency" and since is not None:
            return continues(since.size, head.size, nodes, since.root, head.root)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return False
