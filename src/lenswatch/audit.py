"""The spine: evidence, measurements, checks, score, reports, in this order and never back."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lenswatch import __version__
from lenswatch.attest import write_log
from lenswatch.checks import Check, load_checks
from lenswatch.errors import UsageError
from lenswatch.evidence.bundle import Bundle, bundle_digest, open_bundle
from lenswatch.evidence.countries import find_countries
from lenswatch.evidence.flows import FlowReader, read_ahead
from lenswatch.measurements import Measurements
from lenswatch.measurements.faces import FaceMeasurements, measure_faces
from lenswatch.measurements.relays import SHORTEST_BIN_S
from lenswatch.measurements.retention import RetentionMeasurements, measure_retention
from lenswatch.measurements.routing import RoutingMeasurements, measure_routing, routing_of
from lenswatch.model import Confidence, Finding, Problem, Verdict, sentence
from lenswatch.policy import Control, Pack, load_packs
from lenswatch.reports import write_reports
from lenswatch.result import AuditResult, Coverage
from lenswatch.scaling import Cluster, add_up_on, measure_faces_on, measure_retention_on
from lenswatch.scoring import (
    OF_CAMERAS,
    PLAN,
    Sample,
    apply_exceptions,
    claim_findings,
    exception_problems,
    read_plan,
    score,
)

Progress = Callable[[str, int, int], None]
_Measured = TypeVar("_Measured")


def run_audit(
    bundle: Path,
    *,
    packs: Sequence[str] = ("core",),
    out: Path | None = None,
    mode: str = "fast",
    threads: int = 2,
    language: str = "en",
    plan: Path | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Audit the bundle in a folder; write all reports into ``out`` where it is given.

    An audit by sample has a plan: the file ``plan``, else ``plan.json`` of the bundle.

    ``packs`` are names of built-in packs or paths of own ones. ``threads`` and ``cluster``
    change the time taken and nothing else; ``language`` changes the words of the reports for
    people. Raises
    :class:`~lenswatch.errors.EvidenceUnusable` where nothing can be audited and
    :class:`~lenswatch.errors.PolicyError` for a bad pack; any other fault of the evidence becomes
    a problem, and what depended on it inconclusive.
    """
    policy = load_packs(packs)
    checks = load_checks()
    evidence = open_bundle(bundle)
    digest = bundle_digest(bundle, progress)
    measurements = measure(evidence, mode=mode, threads=threads, cluster=cluster, progress=progress)
    judged = judge(measurements, policy, checks)
    as_of = evidence.deployment.as_of
    findings = apply_exceptions(judged, evidence.exceptions, as_of)
    unused = exception_problems(judged, evidence.exceptions, policy, as_of)
    content, sample, wrong = _plan(plan, evidence, policy)
    measurements = replace(measurements, problems=measurements.problems + unused + wrong)
    covers = {f"store:{store.id}": list(store.cameras.values()) for store in evidence.stores}
    total = score(findings, policy, evidence.inventory, covers=covers, sample=sample)
    if sample is not None:
        controls = [control for pack in policy for control in pack.controls]
        claimed = claim_findings(total.claims, controls, sample)
        findings = tuple(sorted([*findings, *claimed], key=_order))
    result = AuditResult(
        tool=f"lenswatch {__version__}",
        bundle_digest=digest,
        packs=policy,
        exceptions=evidence.exceptions,
        measurements=measurements,
        findings=findings,
        score=total,
        coverage=_coverage(measurements, evidence, findings),
        sample=sample,
        plan=content,
    )
    if out is not None:
        write_reports(result, out, language=language, progress=progress)
        settings: dict[str, Any] = {"mode": mode, "packs": [pack.id for pack in policy]}
        if plan is not None and plan.is_file():
            # one in the bundle is evidence, and in the log as such
            settings["plan"] = {"name": plan.name, "text": plan.read_text("utf-8", "replace")}
        write_log(out, bundle, packs=policy, settings=settings)
    return result


def _order(finding: Finding) -> tuple[str, str]:
    return finding.control, finding.subject


def _plan(
    plan: Path | None, bundle: Bundle, packs: Sequence[Pack]
) -> tuple[dict[str, Any] | None, Sample | None, tuple[Problem, ...]]:
    """The plan of an audit by sample, and what is wrong with it."""
    path = bundle.root / PLAN if plan is None else plan
    if plan is None and not path.is_file():
        return None, None, ()
    content, sample, problems = read_plan(path, bundle.inventory)
    if sample is None:
        return None, None, problems
    known = {control.id: control for pack in packs for control in pack.controls}
    about = {control: known.get(control) for control in sample.controls}
    problems += tuple(
        Problem(
            path.name,
            sentence("the plan claims {control}, which no pack of this audit has", control=name)
            if control is None
            else sentence("the plan claims {control}, which is not about cameras", control=name),
            sentence("audit with its pack, or correct the plan"),
            part="plan",
            warning=True,
        )
        for name, control in about.items()
        if control is None or control.subjects not in OF_CAMERAS
    )
    return content, sample, problems


def measure(
    bundle: Bundle,
    *,
    mode: str = "fast",
    threads: int = 2,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> Measurements:
    """Measure everything a bundle holds, on the workers of a ``cluster`` where one is given."""
    problems = list(bundle.problems)
    routing = (
        _guarded(
            "flows",
            problems,
            lambda: _measure_routing(bundle, problems, threads, cluster, progress),
        )
        if bundle.flow_files
        else None
    )
    retention: RetentionMeasurements | None = (
        _guarded(
            "recordings",
            problems,
            lambda: (
                measure_retention(
                    bundle.stores,
                    bundle.deployment,
                    bundle.inventory,
                    root=bundle.root,
                    routing=routing,
                    progress=progress,
                )
                if cluster is None
                else measure_retention_on(cluster, bundle, routing=routing, progress=progress)
            ),
        )
        if bundle.stores
        else None
    )
    faces: FaceMeasurements | None = (
        _guarded(
            "video",
            problems,
            lambda: (
                measure_faces(
                    bundle.videos, bundle.inventory, mode=mode, threads=threads, progress=progress
                )
                if cluster is None
                else measure_faces_on(cluster, bundle, mode=mode, progress=progress)
            ),
        )
        if bundle.videos
        else None
    )
    for part in (retention, faces):
        if part is not None:
            problems.extend(part.problems)
    return Measurements(
        deployment=bundle.deployment,
        inventory=bundle.inventory,
        faces=faces,
        retention=retention,
        routing=routing,
        problems=tuple(problems),
    )


def _measure_routing(
    bundle: Bundle,
    problems: list[Problem],
    threads: int,
    cluster: Cluster | None,
    progress: Progress | None,
) -> RoutingMeasurements:
    countries = find_countries(bundle.root)
    files = tuple(path.relative_to(bundle.root).as_posix() for path in bundle.flow_files)

    def again() -> FlowReader:
        return FlowReader(
            bundle.flow_files, root=bundle.root, progress=progress, active_s=SHORTEST_BIN_S
        )

    added = add_up_on(cluster, bundle, progress=progress) if cluster is not None else None
    if added is not None:
        routing = routing_of(
            added.conversations,
            bundle.inventory,
            bundle.deployment,
            files=files,
            exporters=added.exporters,
            again=again,
            countries=countries,
        )
        problems.extend(added.problems)
    else:
        reader = FlowReader(bundle.flow_files, root=bundle.root, progress=progress)
        routing = measure_routing(
            read_ahead(reader) if threads > 1 else reader,
            bundle.inventory,
            bundle.deployment,
            files=files,
            exporters=lambda: reader.exporters,
            again=again,
            countries=countries,
        )
        problems.extend(reader.problems)
    problems.extend(countries.problems)
    return routing


def _guarded(
    part: str, problems: list[Problem], measure_part: Callable[[], _Measured]
) -> _Measured | None:
    """Run one part so that an error of ours in it does not take the other parts with it."""
    try:
        return measure_part()
    except UsageError:  # such as a worker that sees another bundle
        raise
    except MemoryError:
        message, remedy = "memory ran out", "give it more memory, or split the evidence"
    except Exception as error:  # noqa: BLE001  (the kind is told; the text could quote evidence)
        message = sentence("an error of lenswatch itself ({kind})", kind=type(error).__name__)
        remedy = "please report it; everything that needs this part is inconclusive"
    problems.append(Problem(part, message, remedy, part=part))
    return None


def judge(
    measurements: Measurements, packs: Sequence[Pack], checks: Mapping[str, Check]
) -> list[Finding]:
    """Findings of every control of every pack, sorted by control and subject."""
    findings: list[Finding] = []
    for pack in packs:
        for control in pack.controls:
            findings.extend(_judge_control(measurements, control, checks))
    findings.sort(key=_order)
    return findings


def _judge_control(
    measurements: Measurements, control: Control, checks: Mapping[str, Check]
) -> list[Finding]:
    check = checks.get(control.check)
    as_of = measurements.deployment.as_of.date()
    if control.effective_from is not None and control.effective_from > as_of:
        return [
            _about_deployment(
                control,
                Verdict.NOT_APPLICABLE,
                sentence("In force from {day} only.", day=str(control.effective_from)),
            )
        ]
    if check is None:
        return [
            _about_deployment(
                control,
                Verdict.INCONCLUSIVE,
                sentence("This version of lenswatch has no check «{check}».", check=control.check),
            )
        ]
    return list(check.run(measurements, control))


def _about_deployment(control: Control, verdict: Verdict, reason: str) -> Finding:
    return Finding(
        control=control.id,
        check=control.check,
        subject="deployment",
        verdict=verdict,
        severity=control.severity,
        confidence=Confidence.HIGH,
        reason=reason,
        remediation=control.remediation,
    )


def _coverage(measurements: Measurements, bundle: Bundle, findings: Sequence[Finding]) -> Coverage:
    inventory, routing = measurements.inventory, measurements.routing
    cameras = {str(inventory.node_id[row]) for row in inventory.cameras}
    recorded = {
        node for store in bundle.stores for node in store.cameras.values() if node in cameras
    }
    counts = collections.Counter(str(finding.verdict) for finding in findings)
    return Coverage(
        cameras=len(cameras),
        cameras_with_video=len({video.node_id for video in bundle.videos} & cameras),
        cameras_with_flows=int(np.count_nonzero(routing.seen[inventory.cameras])) if routing else 0,
        cameras_with_recordings=len(recorded),
        flow_records=routing.conversations.records if routing else 0,
        exporters=routing.vantage.exporters if routing else 0,
        stores=len(bundle.stores),
        verdicts={str(verdict): counts.get(str(verdict), 0) for verdict in Verdict},
    )
