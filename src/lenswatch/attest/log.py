"""The evidence log: one hash for all that went into an audit and all that came out.

Beside its reports an audit writes ``log/``::

    entries.jsonl     a line for the settings, each pack, each file of the evidence, each report
    checkpoint.json   the number of entries, and their Merkle root

The entries of the tree are the lines of ``entries.jsonl`` and, after them, the lines of
``findings.json``, one finding a line. So one root, published or signed, fixes the evidence, the
rules, every verdict and every report; and one camera's verdict can be shown to be under that root
without showing the others (:func:`prove_finding`).

A log on its own proves that a folder is whole. Somebody who changes a verdict can write a new log:
only a root that was published beforehand tells the two apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenswatch import __version__
from lenswatch.attest.merkle import TreeHead, includes, inclusion_proof, leaf_hash
from lenswatch.errors import EvidenceError, PolicyError
from lenswatch.evidence.bundle import file_digests
from lenswatch.model import Problem
from lenswatch.policy import Pack, load_packs

SCHEMA_VERSION = 1
FOLDER = "log"
ENTRIES = f"{FOLDER}/entries.jsonl"
CHECKPOINT = f"{FOLDER}/checkpoint.json"
FINDINGS = "findings.json"

_LONGEST_LINE = 16 * 1024 * 1024  # a longer one counts as several, the same way each time
_CHUNK = 1 << 20

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log comes down to."""

    size: int
    """Number of entries."""
    root: str
    """Merkle root (RFC 6962) in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a look at a log and its folder gave."""

    checkpoint: Checkpoint | None
    """None where it cannot be read."""
    problems: tuple[Problem, ...]
    """Everything that is not as it was written; empty where all is."""
    unchecked: tuple[str, ...]
    """What could not be looked at, in words."""


def write_log(
    out: Path,
    bundle: Path,
    *,
    packs: Sequence[Pack],
    settings: Mapping[str, Any],
    progress: Progress | None = None,
) -> Checkpoint:
    """Write the log of an audit whose reports stand in ``out``.

    ``settings`` are those that could change a verdict, as plain values. Nothing of the clock or the
    machine enters: the same evidence and settings give the same root, as far as the reports do.
    """
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    head = TreeHead()
    partial = (out / ENTRIES).with_suffix(".partial")
    try:
        with partial.open("wb") as stream:
            for entry in _entries(out, bundle, packs, settings, progress):
                written = _canonical(entry)
                head.append(written)
                stream.write(written)
        partial.replace(out / ENTRIES)
    finally:
        partial.unlink(missing_ok=True)
    for line in _lines(out / FINDINGS):
        head.append(line)
    checkpoint = Checkpoint(head.size, head.root.hex())
    content = {"schema_version": SCHEMA_VERSION, "size": checkpoint.size, "root": checkpoint.root}
    (out / CHECKPOINT).write_bytes(_canonical(content))
    return checkpoint


def _entries(
    out: Path,
    bundle: Path,
    packs: Sequence[Pack],
    settings: Mapping[str, Any],
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    yield {"kind": "settings", "tool": f"lenswatch {__version__}", **settings}
    for pack in packs:
        yield {"kind": "pack", "id": pack.id, "version": pack.version, "digest": pack.digest}
    for name, digest in file_digests(bundle, progress):
        yield {"kind": "evidence", "file": name, "sha256": digest.hex()}
    for name, hexadecimal in _reports(out):
        yield {"kind": "report", "file": name, "sha256": hexadecimal}


def _canonical(content: Mapping[str, Any]) -> bytes:
    """One line of JSON, always the same for the same content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"


def _reports(out: Path) -> Iterator[tuple[str, str]]:
    """Files beside the log, by name. Folders, the log's own among them, are no reports."""
    for path in sorted(out.iterdir()):
        if path.is_file() and not path.is_symlink():
            yield path.name, _sha256(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _lines(path: Path) -> Iterator[bytes]:
    """Lines with their ends, so that no byte of a file is outside the tree."""
    with path.open("rb") as stream:
        while line := stream.readline(_LONGEST_LINE):
            yield line


def read_checkpoint(out: Path) -> Checkpoint:
    """The checkpoint in a folder of reports.

    Raises :class:`~lenswatch.errors.EvidenceError` where there is none, or it is malformed.
    """
    try:
        raw = (out / CHECKPOINT).read_bytes()
        content = json.loads(raw)
        checkpoint = Checkpoint(int(content["size"]), bytes.fromhex(content["root"]).hex())
        if content["schema_version"] != SCHEMA_VERSION or _canonical(content) != raw:
            raise ValueError
    except FileNotFoundError:
        raise EvidenceError(
            "no log here", file=CHECKPOINT, remedy="name the folder that an audit wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise EvidenceError(
            "not a checkpoint", file=CHECKPOINT, remedy="get the folder anew from its author"
        ) from None
    return checkpoint


def read_settings(out: Path) -> dict[str, Any]:
    """The settings that an audit ran with, from its log; empty where they cannot be read."""
    for entry in _read_entries(out, []):
        if entry["kind"] == "settings":
            return {key: value for key, value in entry.items() if key != "kind"}
    return {}


def verify_log(
    out: Path,
    *,
    bundle: Path | None = None,
    packs: Sequence[str] = (),
    root: str = "",
    progress: Progress | None = None,
) -> Verification:
    """Look whether a folder of reports is as its audit left it.

    Checks the Merkle root over the log and ``findings.json``, and the digest of every report. With
    ``bundle`` that of every file of the evidence; with ``root`` that the log is the published one.
    The packs are looked up among those that ship and those in ``packs`` (paths).
    """
    problems: list[Problem] = []
    unchecked: list[str] = []
    try:
        checkpoint = read_checkpoint(out)
    except EvidenceError as error:
        return Verification(None, (Problem(error.file, error.message, error.remedy),), ())
    entries = _read_entries(out, problems)
    _verify_root(out, checkpoint, problems)
    if not root:
        unchecked.append("whether this is the log that was published: compare the root")
    elif root.strip().lower() != checkpoint.root:
        problems.append(
            Problem(CHECKPOINT, "another root than the one given", "ask which of the two is meant")
        )
    _verify_reports(out, entries, problems)
    _verify_packs(entries, packs, problems, unchecked)
    if bundle is None:
        unchecked.append("the evidence: give its bundle")
    else:
        _verify_evidence(bundle, entries, problems, progress)
    return Verification(checkpoint, tuple(problems), tuple(unchecked))


_KEYS = {
    "settings": ("tool",),
    "pack": ("id", "digest"),
    "evidence": ("file", "sha256"),
    "report": ("file", "sha256"),
}


def _read_entries(out: Path, problems: list[Problem]) -> list[dict[str, Any]]:
    entries = []
    try:
        for number, line in enumerate(_lines(out / ENTRIES), 1):
            try:
                entry = json.loads(line)
                keys = _KEYS[entry["kind"]]
                if not all(isinstance(entry[key], str) for key in keys):
                    raise TypeError
            except (ValueError, KeyError, TypeError, RecursionError):
                problems.append(
                    Problem(ENTRIES, "not an entry", "get the folder anew", line=number)
                )
                continue
            entries.append(entry)
    except OSError:
        problems.append(Problem(ENTRIES, "cannot be read", "get the folder anew"))
    return entries


def _verify_root(out: Path, checkpoint: Checkpoint, problems: list[Problem]) -> None:
    head = TreeHead()
    for name in (ENTRIES, FINDINGS):
        try:
            for line in _lines(out / name):
                head.append(line)
        except OSError:
            problems.append(Problem(name, "cannot be read", "get the folder anew"))
            return
    if (head.size, head.root.hex()) != (checkpoint.size, checkpoint.root):
        problems.append(
            Problem(
                CHECKPOINT,
                "the root does not fit the log and findings.json: one of the three was changed",
                "trust none of them, and get the folder anew from its author",
            )
        )


def _verify_reports(
    out: Path, entries: Sequence[Mapping[str, Any]], problems: list[Problem]
) -> None:
    logged = {entry["file"]: entry["sha256"] for entry in entries if entry["kind"] == "report"}
    found = dict(_reports(out))
    _compare(logged, found, "report", problems)


def _verify_evidence(
    bundle: Path,
    entries: Sequence[Mapping[str, Any]],
    problems: list[Problem],
    progress: Progress | None,
) -> None:
    logged = {entry["file"]: entry["sha256"] for entry in entries if entry["kind"] == "evidence"}
    if not bundle.is_dir():
        problems.append(Problem(bundle.name, "no such folder", "name the folder of the bundle"))
        return
    found = {name: digest.hex() for name, digest in file_digests(bundle, progress)}
    _compare(logged, found, "file of the evidence", problems)


def _compare(
    logged: Mapping[str, str], found: Mapping[str, str], what: str, problems: list[Problem]
) -> None:
    for name in sorted(logged.keys() | found.keys()):
        if name not in found:
            message, remedy = f"a {what} that was there is missing", "put it back"
        elif name not in logged:
            message, remedy = f"a {what} that the audit did not know", "take it out"
        elif logged[name] != found[name]:
            message, remedy = f"a {what} that was changed since", "get the original"
        else:
            continue
        problems.append(Problem(name, message, remedy))


def _verify_packs(
    entries: Sequence[Mapping[str, Any]],
    words: Sequence[str],
    problems: list[Problem],
    unchecked: list[str],
) -> None:
    own = {pack.id: pack for pack in load_packs(words)} if words else {}
    for entry in entries:
        if entry["kind"] != "pack":
            continue
        pack = own.get(entry["id"])
        if pack is None:
            try:
                (pack,) = load_packs([entry["id"].replace("/", "?")])
            except PolicyError:
                unchecked.append(f"the pack {entry['id']}: give its file")
                continue
        if pack.digest != entry["digest"]:
            problems.append(
                Problem(
                    ENTRIES,
                    f"the pack {pack.id} is another one here (version {pack.version})",
                    "verify with the version of lenswatch, or the pack file, of the audit",
                )
            )


def prove_finding(out: Path, control: str, subject: str) -> dict[str, Any]:
    """Everything that shows one finding to be under the root, and nothing of the others.

    Plain values: the finding's line, its number, the size and root of the log, and the hashes of
    the inclusion proof. Raises :class:`~lenswatch.errors.EvidenceError` where the log has no such
    finding. Cost: reads the whole log once, and holds 32 bytes an entry.
    """
    checkpoint = read_checkpoint(out)
    hashes: list[bytes] = []
    place, wanted = -1, b""
    for name in (ENTRIES, FINDINGS):
        for line in _lines(out / name):
            if name == FINDINGS and place < 0 and _is_finding(line, control, subject):
                place, wanted = len(hashes), line
            hashes.append(leaf_hash(line))
    if place < 0:
        raise EvidenceError(
            "no such finding", file=FINDINGS, remedy="look up control and subject in findings.csv"
        )
    return {
        "entry": wanted.decode(),
        "index": place,
        "size": checkpoint.size,
        "root": checkpoint.root,
        "proof": [node.hex() for node in inclusion_proof(hashes, place)],
    }


def _is_finding(line: bytes, control: str, subject: str) -> bool:
    if not line.startswith(b'{"control"'):
        return False
    finding = json.loads(line.rstrip(b",\n"))
    return bool(finding["control"] == control and finding["subject"] == subject)


def check_proof(proof: Mapping[str, Any]) -> bool:
    """Whether a proof of :func:`prove_finding` holds; False for a malformed one."""
    try:
        return includes(
            proof["entry"].encode(),
            proof["index"],
            proof["size"],
            [bytes.fromhex(node) for node in proof["proof"]],
            bytes.fromhex(proof["root"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
