"""``findings.json``: the canonical result, whose contract is ``findings.schema.json``.

Everything else that lenswatch writes can be made again from this file. The same evidence and the
same packs give the same bytes: keys stand in a fixed order, findings in the order of the audit,
and nothing in it depends on the clock, the machine or the number of threads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from lenswatch.model import EvidenceRef, Finding, Interval, Problem
from lenswatch.policy import Control, Pack, PolicyException
from lenswatch.reports.end_use import EndUse, end_use
from lenswatch.reports.output import text_output
from lenswatch.reports.summary import Summary
from lenswatch.result import AuditResult
from lenswatch.scoring import Claim, Driver, Part, Score, Tally, grade_of

SCHEMA_VERSION = "1.1"
"""The first number changes when a reader of the old file would misread the new one."""

_BATCH = 4096
"""Findings joined before each write: one write a finding cost a third of the time."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode


def findings_schema() -> dict[str, Any]:
    """The published JSON schema (draft 2020-12) of ``findings.json``."""
    text = files("lenswatch.reports").joinpath("findings.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def write_json(summary: Summary, path: Path) -> Path:
    """Write ``findings.json``, one finding a line, holding none of it in memory as a whole."""
    result = summary.result
    with text_output(path) as stream:
        stream.write("{\n")
        for key, value in _head(summary).items():
            stream.write(f"{_encode(key)}: {_encode(value)},\n")
        stream.write('"verdicts": [')
        separator = "\n"
        for start in range(0, len(result.findings), _BATCH):
            batch = result.findings[start : start + _BATCH]
            stream.write(separator + ",\n".join(_encode(finding_json(f)) for f in batch))
            separator = ",\n"
        stream.write("\n]\n}\n")
    return path


def _head(summary: Summary) -> dict[str, Any]:
    result = summary.result
    deployment = result.measurements.deployment
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": result.tool,
        "bundle_digest": result.bundle_digest,
        "deployment": {
            "name": deployment.name,
            "jurisdiction": deployment.jurisdiction,
            "operator": deployment.operator,
        },
        "policy": [_pack(pack) for pack in result.packs],
        "as_of": timestamp(deployment.as_of),
        "verdict": result.verdict.value,
        "score": score_json(result.score),
        "sample": _sample(result),
        "end_use": [_end_use(use) for use in end_use(summary)],
        "coverage": _coverage(result),
        "exceptions": [_exception(exception) for exception in result.exceptions],
        "problems": [_problem(problem) for problem in result.measurements.problems],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One finding as the contract has it."""
    return {
        "control": finding.control,
        "check": finding.check,
        "subject": finding.subject,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "measured": number(finding.measured),
        "limit": number(finding.limit),
        "unit": finding.unit,
        "interval": _interval(finding.interval),
        "basis": finding.basis.value,
        "reason": finding.reason,
        "remediation": finding.remediation,
        "evidence": [_evidence(reference) for reference in finding.evidence],
    }


def number(value: float | None) -> float | int | None:
    """A JSON number; None for absent, NaN and infinite, which JSON does not have."""
    if value is None or not math.isfinite(value):
        return None
    value = float(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, ``Z`` at the end."""
    text = moment.astimezone(UTC).isoformat(timespec="auto")
    return text.replace("+00:00", "Z")


def score_json(score: Score) -> dict[str, Any]:
    """The score as the contract has it."""
    return {
        "low": number(score.low),
        "high": number(score.high),
        "grade": score.grade,
        "low_without_exceptions": number(score.low_without_exceptions),
        "level": number(score.level),
        "tally": _tally(score.tally),
        "outside": int(score.outside),
        "by_pack": _parts(score.by_pack),
        "by_district": _parts(score.by_district),
        "by_vendor": _parts(score.by_vendor),
        "by_model": _parts(score.by_model),
        "drivers": [_driver(driver) for driver in score.drivers],
        "not_applicable": list(score.not_applicable),
    }


_DRAW = ("inventory_root", "nonce", "randomness", "commitment", "seed")
"""What a plan holds for others to draw it again."""


def _sample(result: AuditResult) -> dict[str, Any] | None:
    sample, plan = result.sample, result.plan
    if sample is None or plan is None:
        return None
    return {
        "share": number(sample.share),
        "level": number(sample.level),
        "sensitivity": number(sample.sensitivity),
        "planned": len(sample.nodes),
        **{key: plan[key] for key in _DRAW},
        "claims": [_claim(claim) for claim in result.score.claims],
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "control": claim.control,
        "decision": claim.decision,
        "population": claim.population,
        "looked_at": claim.looked_at,
        "failed": claim.failed,
        "unchecked": claim.unchecked,
        "lower": number(claim.lower),
        "upper": number(claim.upper),
        "level": number(claim.level),
        "more": claim.more,
        "passed_over": list(claim.passed_over),
        "not_reached": list(claim.not_reached),
        "outside": claim.outside,
    }


def _parts(parts: Mapping[str, Part]) -> dict[str, Any]:
    return {
        name: {
            "low": number(part.low),
            "high": number(part.high),
            "grade": grade_of(part.low),
            "tally": _tally(part.tally),
        }
        for name, part in sorted(parts.items())
    }


def _driver(driver: Driver) -> dict[str, Any]:
    return {
        "control": driver.control,
        "title": driver.title,
        "weight": number(driver.weight),
        "low": number(driver.low),
        "high": number(driver.high),
        "loss_low": number(driver.loss_low),
        "loss_high": number(driver.loss_high),
        "tally": _tally(driver.tally),
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {
        "passed": tally.passed,
        "failed": tally.failed,
        "inconclusive": tally.inconclusive,
        "excepted": tally.excepted,
        "not_applicable": tally.not_applicable,
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {
        "lower": number(interval.lower),
        "upper": number(interval.upper),
        "level": number(interval.level),
        "method": interval.method,
    }


def _evidence(reference: EvidenceRef) -> dict[str, str]:
    return {"file": reference.file, "location": reference.location}


def _pack(pack: Pack) -> dict[str, Any]:
    return {
        "id": pack.id,
        "title": pack.title,
        "version": pack.version,
        "digest": pack.digest,
        "controls": [_control(control) for control in pack.controls],
    }


def _control(control: Control) -> dict[str, Any]:
    effective = control.effective_from
    return {
        "id": control.id,
        "title": control.title,
        "check": control.check,
        "subjects": control.subjects.value,
        "force": control.force.value,
        "source": control.source,
        "basis": control.basis.value,
        "severity": control.severity.value,
        "weight": number(control.weight),
        "effective_from": effective.isoformat() if effective else None,
        "min": number(control.min),
        "max": number(control.max),
        "limit_from": control.limit_from,
        "unit": control.unit,
    }


def _coverage(result: AuditResult) -> dict[str, Any]:
    coverage = result.coverage
    return {
        "cameras": coverage.cameras,
        "cameras_with_video": coverage.cameras_with_video,
        "cameras_with_flows": coverage.cameras_with_flows,
        "cameras_with_recordings": coverage.cameras_with_recordings,
        "flow_records": coverage.flow_records,
        "exporters": coverage.exporters,
        "stores": coverage.stores,
        "verdicts": dict(sorted(coverage.verdicts.items())),
    }


def _end_use(use: EndUse) -> dict[str, Any]:
    return {
        "vendor": use.vendor,
        "model": use.model,
        "nodes": use.nodes,
        "checks": {
            check: {
                "taking_part": part.taking_part,
                "inferred": part.inferred,
                "not_taking_part": part.not_taking_part,
                "not_checked": part.not_checked,
            }
            for check, part in use.parts.items()
        },
    }


def _exception(exception: PolicyException) -> dict[str, Any]:
    return {
        "control": exception.control,
        "subject": exception.subject,
        "reason": exception.reason,
        "approved_by": exception.approved_by,
        "expires": exception.expires.isoformat(),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "offset": problem.offset,
        "part": problem.part,
        "subject": problem.subject,
        "message": problem.message,
        "remedy": problem.remedy,
        "warning": problem.warning,
    }
