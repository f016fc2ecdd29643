"""From the traces of a run to verdicts, and from verdicts to the reasons of a refusal.

The ordinary audit judges the evidence by the pack ``device``. Beside it stand five judgements that
only the harness can make, since it alone knows what the device was shown and what it was let do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lenswatch.harness.claims import Claims
from lenswatch.harness.comparison import CERTAIN, SAME_PLACE, Comparison, Sighting
from lenswatch.harness.declaration import Declaration
from lenswatch.harness.devices import Played
from lenswatch.harness.evidence import CAMERA
from lenswatch.measurements.shares import count_interval
from lenswatch.model import Confidence, Finding, Severity, Verdict

TITLES = {
    "certify/face-recoverable": "No face that it was shown can be recovered from its pictures",
    "certify/evidence-dropped": "It shows every moment that it was shown",
    "certify/kept-after-deletion": "Nothing on its disk outlives the declared time",
    "certify/undeclared-receiver": "It contacts declared receivers only",
    "certify/self-contradiction": "It does what it says of itself",
}

MISSING_SHARE = 0.02
"""Share of moments without a picture that starting up may cost."""

UNSHOWN_SHARE = 0.1
"""Share of moments with people for which its picture may show none: people far away and pale."""

FEWEST_SIGHTINGS = 30
"""Clear faces from which nothing recovered rules out more than a tenth (95 %)."""


_MIXED = 0.25
"""Share of mixed frames up to which a mask that begins or ends accounts for them."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a certificate is refused, by name."""

    cause: str
    control: str
    reason: str


@dataclass(frozen=True, slots=True)
class Traces:
    """Everything that a run left, apart from the bundle."""

    declaration: Declaration
    played: tuple[Played, ...]
    compared: tuple[Comparison | None, ...]
    kept_media: int
    kept_unknown: int
    recorded: bool
    """Whether anything was on its disk after the first session that the second must not find."""
    clock_set: bool
    undeclared: tuple[str, ...]
    """Receivers that nobody declared, by name where it looked one up."""
    claims: Claims


def judge_traces(traces: Traces) -> list[Finding]:
    """The harness's own findings, one for each of :data:`TITLES`."""
    return [
        _face_recoverable(traces),
        _evidence_dropped(traces),
        _kept_after_deletion(traces),
        _undeclared_receiver(traces),
        _self_contradiction(traces),
    ]


_finding = partial(
    Finding,
    subject=f"node:{CAMERA}",
    severity=Severity.CRITICAL,
    confidence=Confidence.HIGH,
)


def _about(name: str, remediation: str) -> partial[Finding]:
    return partial(_finding, control=f"certify/{name}", check=name, remediation=remediation)


def _sightings(traces: Traces) -> list[Sighting]:
    return [s for session in traces.compared if session is not None for s in session.sightings]


def _face_recoverable(traces: Traces) -> Finding:
    about = _about("face-recoverable", "Mask every face in every picture, whoever else is there.")
    if not traces.declaration.masks_faces:
        return about(
            verdict=Verdict.NOT_APPLICABLE, reason="The device is not declared to mask faces."
        )
    sightings = _sightings(traces)
    if not sightings:
        return about(
            verdict=Verdict.INCONCLUSIVE, reason="Its pictures show no moment with a clear face."
        )
    told = [s for s in sightings if s.told]
    certain = any(s.detail >= CERTAIN for s in told) or len(told) >= 2
    measured = partial(
        about,
        measured=len(told) / len(sightings),
        limit=0.0,
        unit="share of faces",
        interval=count_interval(len(told), len(sightings)),
    )
    if told and certain:
        return measured(
            verdict=Verdict.FAIL,
            reason=f"{len(told)} of {len(sightings)} faces that it was shown can be recovered.",
        )
    if told:
        reason = "One face may be recoverable; one is too few to be sure."
        return measured(verdict=Verdict.INCONCLUSIVE, reason=reason)
    if len(sightings) < FEWEST_SIGHTINGS:
        reason = f"Only {len(sightings)} clear faces came out of the draw: run it again."
        return measured(verdict=Verdict.INCONCLUSIVE, reason=reason)
    return measured(
        verdict=Verdict.PASS,
        reason=f"None of {len(sightings)} faces that it was shown can be recovered.",
    )


def _evidence_dropped(traces: Traces) -> Finding:
    about = _about("evidence-dropped", "Give a picture for every moment, masked where it must be.")
    bad = [played.note for played in traces.played if not played.ended_well]
    if bad:
        return about(verdict=Verdict.INCONCLUSIVE, reason=f"The device failed: {bad[0]}.")
    sessions = [session for session in traces.compared if session is not None]
    if len(sessions) < len(traces.compared):
        return about(verdict=Verdict.FAIL, reason="It gave no video that can be decoded.")
    frames = sum(session.frames for session in sessions)
    missing = sum(session.missing for session in sessions)
    peopled = sum(session.peopled for session in sessions)
    unshown = sum(session.unshown for session in sessions)
    measured = partial(
        about, measured=missing / frames, limit=MISSING_SHARE, unit="share of moments"
    )
    if missing > MISSING_SHARE * frames:
        return measured(
            verdict=Verdict.FAIL,
            reason=f"It gave no picture for {missing} of {frames} moments that it was shown.",
        )
    if any(session.same_place < SAME_PLACE for session in sessions):
        return measured(
            verdict=Verdict.FAIL, reason="Its pictures show another place than it was shown."
        )
    if unshown > UNSHOWN_SHARE * peopled:
        return measured(
            verdict=Verdict.FAIL,
            reason=f"Its pictures show nobody at {unshown} of {peopled} moments with people.",
        )
    return measured(
        verdict=Verdict.PASS, reason=f"Its pictures show {frames - missing} of {frames} moments."
    )


def _kept_after_deletion(traces: Traces) -> Finding:
    about = _about("kept-after-deletion", "Delete every copy, thumbnails and caches included.")
    declared = traces.declaration
    if not declared.clock:
        reason = "It takes no time from the harness, so its deletion could not be waited for."
        return about(verdict=Verdict.INCONCLUSIVE, reason=f"{reason} Declare clock.")
    if not traces.clock_set or any(not played.ended_well for played in traces.played):
        return about(
            verdict=Verdict.INCONCLUSIVE, reason="A session failed, so deletion was not seen."
        )
    measured = partial(about, measured=float(traces.kept_media), limit=0.0, unit="files")
    if traces.kept_media:
        return measured(
            verdict=Verdict.FAIL,
            reason=f"{traces.kept_media} files of pictures from before are still on its disk after "
            f"{declared.retention_hours:g} hours, whatever they are called.",
        )
    if traces.kept_unknown:
        return measured(
            verdict=Verdict.INCONCLUSIVE,
            reason=f"{traces.kept_unknown} files of no known kind outlived the declared time.",
        )
    if declared.stores and not traces.recorded:
        reason = "It declares a store, and recorded nothing in the first session."
        return measured(verdict=Verdict.INCONCLUSIVE, reason=reason)
    return measured(
        verdict=Verdict.PASS,
        reason=f"After {declared.retention_hours:g} hours nothing from before is on its disk.",
    )


def _undeclared_receiver(traces: Traces) -> Finding:
    about = _about("undeclared-receiver", "Stop contacting it, or declare it.")
    count = len(traces.undeclared)
    measured = partial(about, measured=float(count), limit=0.0, unit="receivers")
    if count:
        named = ", ".join(traces.undeclared[:10]) + (" and others" if count > 10 else "")
        return measured(
            verdict=Verdict.FAIL, reason=f"It contacts {count} undeclared receivers: {named}."
        )
    unmeasured = [p.traffic_unmeasured for p in traces.played if p.traffic_unmeasured]
    if unmeasured:
        return about(
            verdict=Verdict.INCONCLUSIVE,
            reason=f"Its traffic was not measured outside the device: {unmeasured[0]}.",
        )
    return measured(
        verdict=Verdict.PASS, reason="Measured outside the device, it contacts nobody undeclared."
    )


def _self_contradiction(traces: Traces) -> Finding:
    about = _about("self-contradiction", "Answer ONVIF clients with what the device does.")
    declared, claims = traces.declaration, traces.claims
    sessions = [session for session in traces.compared if session is not None]
    lies = []
    width = max((session.width_px for session in sessions), default=0)
    height = max((session.height_px for session in sessions), default=0)
    if claims.largest_width and (width, height) > (claims.largest_width, claims.largest_height):
        lies.append(
            f"over ONVIF its largest pictures are {claims.largest_width} by "
            f"{claims.largest_height} px, it gives {width} by {height}"
        )
    told = sum(s.told for s in _sightings(traces))
    if claims.masks and told >= 2:
        lies.append(f"over ONVIF a mask is on, and {told} faces can be recovered")
    if declared.width_px and width > declared.width_px:
        lies.append(f"it declares pictures {declared.width_px} px wide, and gives {width} px")
    measured = partial(about, measured=float(len(lies)), limit=0.0, unit="contradictions")
    if lies:
        return measured(verdict=Verdict.FAIL, reason=f"It contradicts itself: {'; '.join(lies)}.")
    if declared.onvif and not claims.answers:
        return about(
            verdict=Verdict.INCONCLUSIVE, reason="It declares ONVIF answers, and left none."
        )
    if not declared.onvif and declared.width_px is None:
        reason = "It says nothing of itself that could be held against it."
        return about(verdict=Verdict.NOT_APPLICABLE, reason=reason)
    return measured(verdict=Verdict.PASS, reason="What it says of itself is what it does.")


def is_required(finding: Finding, declaration: Declaration) -> bool:
    """Whether a certificate needs a pass here; elsewhere only a failure stands against it."""
    if finding.control in TITLES:
        return True
    return finding.control == "device/retention-over-limit" and bool(declaration.stores)


def causes_of(findings: Sequence[Finding], traces: Traces) -> list[Cause]:
    """Every reason for a refusal; empty where the device gets its certificate."""
    causes: list[Cause] = []
    for finding in findings:
        if finding.verdict is Verdict.FAIL:
            causes.extend(
                Cause(name, finding.control, finding.reason) for name in _names(finding, traces)
            )
        elif finding.verdict is Verdict.INCONCLUSIVE and is_required(finding, traces.declaration):
            causes.append(Cause("not-shown", finding.control, finding.reason))
    return causes


_NAMES = {
    "certify/evidence-dropped": "drops-evidence",
    "certify/kept-after-deletion": "keeps-copies",
    "certify/undeclared-receiver": "sends-to-undeclared",
    "certify/self-contradiction": "contradicts-itself",
    "device/mask-missing": "shows-faces",
    "device/mask-leak": "shows-faces",
    "device/retention-over-limit": "keeps-too-long",
    "device/route-undeclared-sink": "sends-to-undeclared",
    "device/route-plaintext": "sends-in-clear",
}


def _names(finding: Finding, traces: Traces) -> list[str]:
    if finding.control != "certify/face-recoverable":
        return [_NAMES[finding.control]]
    return masking_habits([s.sightings for s in traces.compared if s is not None])


def masking_habits(sessions: Sequence[Sequence[Sighting]]) -> list[str]:
    """How a device that shows faces masks the others, by name.

    Frames with several faces tell most. Where one of them is hidden and another told, the device
    masks some people; where all are hidden, and all are told elsewhere, it masks some of the time.
    So what counts is the share of mixed frames among those in which anything was hidden: how often
    it masks at all must not matter. Frames with one face decide where no other does.
    """
    told = [s.detail for session in sessions for s in session if s.told]
    total = sum(len(session) for session in sessions)
    if len(told) >= 0.98 * total:
        return ["masks-nothing"]
    if max(told) < CERTAIN:
        return ["masks-too-weakly"]
    mixed = hidden_together = hidden = open_frames = 0
    for session in sessions:
        by_frame: dict[int, list[bool]] = {}
        for sighting in session:
            by_frame.setdefault(sighting.frame, []).append(sighting.told)
        for faces in by_frame.values():
            mixed += any(faces) and not all(faces)
            hidden_together += len(faces) > 1 and not any(faces)
            hidden += not any(faces)
            open_frames += all(faces)
    telling = mixed + hidden_together
    habits = []
    if mixed > _MIXED * telling:
        habits.append("masks-some-faces")
    if hidden and open_frames and mixed <= (1 - _MIXED) * telling:
        habits.append("masks-some-of-the-time")
    return habits or ["masks-some-faces"]
