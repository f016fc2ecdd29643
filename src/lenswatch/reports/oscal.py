"""``oscal.json``: assessment results in NIST's OSCAL, for governance tools.

OSCAL knows a control only as satisfied or not. A control is satisfied here when nothing failed
and everything could be checked; otherwise the status carries the reason ``fail`` or ``other``, and
the exact verdicts stand in properties under the namespace :data:`NAMESPACE`. Identifiers are UUIDv5
over the evidence's and packs' digests, so that the same audit gives the same file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from lenswatch.model import Finding, Verdict
from lenswatch.reports.csv_report import place
from lenswatch.reports.json_report import number, timestamp
from lenswatch.reports.output import write_text
from lenswatch.reports.summary import VERDICTS, ControlSummary, Summary, subject_name

OSCAL_VERSION = "1.1.3"
NAMESPACE = "urn:lenswatch:oscal"
OBSERVATIONS = 20_000
"""Above this number of findings only those that did not pass become observations."""

_ROOT = UUID("6f0d1c1e-7a3b-5d0c-9a55-6c656e737761")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>{}#|~^$])")


def write_oscal(summary: Summary, path: Path) -> Path:
    """Write the assessment results."""
    document = {"assessment-results": _Builder(summary).document()}
    return write_text(path, json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False))


class _Builder:
    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._result = summary.result
        digests = "|".join(pack.digest for pack in self._result.packs)
        self._audit = uuid5(_ROOT, f"{self._result.bundle_digest}|{digests}|{self._result.tool}")
        self._as_of = timestamp(self._result.measurements.deployment.as_of)
        self._subjects: dict[str, str] = {}

    def _uuid(self, *parts: str) -> str:
        name = "\x1f".join(parts).encode("utf-8", "replace").decode()
        return str(uuid5(self._audit, name))

    def document(self) -> dict[str, Any]:
        deployment = self._result.measurements.deployment
        return {
            "uuid": str(self._audit),
            "metadata": {
                "title": f"Camera network audit: {_markup(deployment.name)}",
                "last-modified": self._as_of,
                "version": self._result.bundle_digest,
                "oscal-version": OSCAL_VERSION,
                "props": [_prop("tool", self._result.tool)],
            },
            "import-ap": {"href": f"#{self._uuid('plan')}"},
            "results": [self._results()],
            "back-matter": {"resources": [self._plan()]},
        }

    def _results(self) -> dict[str, Any]:
        result, score = self._result, self._result.score
        chosen = result.findings
        if len(chosen) > OBSERVATIONS:
            open_ones = (f for f in chosen if f.verdict is not Verdict.PASS)
            chosen = tuple(f for _, f in zip(range(OBSERVATIONS), open_ones, strict=False))
        observations = [self._observation(finding) for finding in chosen]
        related: dict[str, list[str]] = {}
        for finding, observation in zip(chosen, observations, strict=True):
            related.setdefault(finding.control, []).append(observation["uuid"])
        content: dict[str, Any] = {
            "uuid": self._uuid("results"),
            "title": "Verdicts of the audit",
            "description": (
                f"Score {score.low:.1f} to {score.high:.1f} of 100, grade {_markup(score.grade)}. "
                "The first number counts what could not be checked as failed."
            ),
            "start": self._as_of,
            "props": [
                _prop("score-low", _decimal(score.low)),
                _prop("score-high", _decimal(score.high)),
                _prop("grade", score.grade),
                _prop("verdict", result.verdict.value),
                *self._sample(),
            ],
            "local-definitions": self._definitions(),
            "reviewed-controls": {"control-selections": [self._selection()]},
        }
        if observations:
            content["observations"] = observations
        findings = [
            self._finding(control, related.get(control.id, []))
            for control in self._summary.controls.values()
        ]
        if findings:
            content["findings"] = findings
        if len(chosen) < len(result.findings):
            content["remarks"] = (
                f"{len(chosen)} of {len(result.findings)} findings stand here as observations; "
                "all of them stand in findings.json."
            )
        return content

    def _sample(self) -> list[dict[str, str]]:
        """The plan of an audit by sample; the claims are observations about the deployment."""
        sample, plan = self._result.sample, self._result.plan
        if sample is None or plan is None:
            return []
        return [
            _prop("sample-level", _decimal(sample.level)),
            _prop("sample-share", _decimal(sample.share)),
            _prop("sample-planned", str(len(sample.nodes))),
            _prop("sample-commitment", plan["commitment"]),
            _prop("sample-seed", plan["seed"]),
            *(
                _prop("sample-claim", f"{claim.control} {claim.decision}")
                for claim in self._result.score.claims
            ),
        ]

    def _plan(self) -> dict[str, Any]:
        packs = "; ".join(
            f"{pack.id} {pack.version} ({pack.digest})" for pack in self._result.packs
        )
        return {
            "uuid": self._uuid("plan"),
            "title": "Policy packs that were applied",
            "description": _markup(packs) or "none",
        }

    def _selection(self) -> dict[str, Any]:
        ids = [control.id for pack in self._result.packs for control in pack.controls]
        ids = list(dict.fromkeys([*ids, *self._summary.controls]))
        if not ids:
            return {"include-all": {}}
        return {"include-controls": [{"control-id": _token(control)} for control in ids]}

    def _definitions(self) -> dict[str, Any]:
        """What the observations are about: nodes as inventory items, the rest as components."""
        items, components = [], [self._tool()]
        for subject, uuid in self._subjects.items():
            kind, name = subject_name(subject)
            if kind == "node":
                props = [_prop("asset-id", name, ns=None)]
                items.append({"uuid": uuid, "description": _markup(name), "props": props})
            else:
                components.append(
                    {
                        "uuid": uuid,
                        "type": "service" if kind else "system",
                        "title": _markup(name),
                        "description": _markup(subject),
                        "status": {"state": "operational"},
                    }
                )
        content: dict[str, Any] = {"components": components}
        if items:
            content["inventory-items"] = items
        return content

    def _tool(self) -> dict[str, Any]:
        return {
            "uuid": self._uuid("tool"),
            "type": "software",
            "title": self._result.tool,
            "description": "The program that made the observations.",
            "status": {"state": "operational"},
        }

    def _subject(self, subject: str) -> dict[str, str]:
        uuid = self._subjects.setdefault(subject, self._uuid("subject", subject))
        kind, name = subject_name(subject)
        of_type = "inventory-item" if kind == "node" else "component"
        return {"subject-uuid": uuid, "type": of_type, "title": _markup(name)}

    def _observation(self, finding: Finding) -> dict[str, Any]:
        props = [
            _prop("control", finding.control),
            _prop("check", finding.check),
            _prop("verdict", finding.verdict.value),
            _prop("severity", finding.severity.value),
            _prop("confidence", finding.confidence.value),
            _prop("basis", finding.basis.value),
        ]
        for name, value in (("measured", finding.measured), ("limit", finding.limit)):
            if number(value) is not None:
                props.append(_prop(name, _decimal(value)))
        if finding.unit:
            props.append(_prop("unit", finding.unit))
        interval = finding.interval
        if interval is not None:
            for name, value in (
                ("interval-lower", interval.lower),
                ("interval-upper", interval.upper),
                ("interval-level", interval.level),
            ):
                if number(value) is not None:
                    props.append(_prop(name, _decimal(value)))
        observation: dict[str, Any] = {
            "uuid": self._uuid("observation", finding.control, finding.subject, finding.reason),
            "description": _markup(finding.reason) or finding.verdict.value,
            "props": props,
            "methods": ["TEST"],
            "types": ["finding"],
            "origins": [{"actors": [{"type": "tool", "actor-uuid": self._uuid("tool")}]}],
            "subjects": [self._subject(finding.subject)],
            "collected": self._as_of,
        }
        if finding.evidence:
            observation["relevant-evidence"] = [
                {"description": _markup(place(reference)) or "-"} for reference in finding.evidence
            ]
        if finding.remediation:
            observation["remarks"] = _markup(finding.remediation)
        return observation

    def _finding(self, control: ControlSummary, observations: Iterable[str]) -> dict[str, Any]:
        status = _status(control, by_sample=control.id in self._result.certified)
        finding: dict[str, Any] = {
            "uuid": self._uuid("finding", control.id),
            "title": _markup(control.title),
            "description": _markup(control.title),
            "props": [
                _prop(verdict.value, str(control.counts[verdict]))
                for verdict in VERDICTS
                if control.counts[verdict]
            ],
            "target": {
                "type": "objective-id",
                "target-id": _token(control.id),
                "title": _markup(control.title),
                "status": status,
            },
        }
        related = [{"observation-uuid": uuid} for uuid in observations]
        if related:
            finding["related-observations"] = related
        return finding


def _status(control: ControlSummary, *, by_sample: bool) -> dict[str, str]:
    counts = control.counts
    if counts[Verdict.FAIL]:
        return {"state": "not-satisfied", "reason": "fail"}
    if counts[Verdict.INCONCLUSIVE] and by_sample and not counts[Verdict.EXCEPTED]:
        remark = "Certified by sample; the observation about the deployment has the claim."
        return {"state": "satisfied", "reason": "other", "remarks": remark}
    if counts[Verdict.INCONCLUSIVE]:
        remark = "Could not be checked for every subject; none was found failing."
        return {"state": "not-satisfied", "reason": "other", "remarks": remark}
    if counts[Verdict.EXCEPTED]:
        remark = "Fails, and somebody answers for it until a date."
        return {"state": "not-satisfied", "reason": "other", "remarks": remark}
    if counts[Verdict.PASS]:
        return {"state": "satisfied", "reason": "pass"}
    return {"state": "satisfied", "reason": "other", "remarks": "Not applicable."}


def _prop(name: str, value: str, *, ns: str | None = NAMESPACE) -> dict[str, str]:
    prop = {"name": name, "value": _line(value)}
    if ns is not None:
        prop["ns"] = ns
    return prop


def _decimal(value: float | None) -> str:
    return str(number(value))


def _token(control: str) -> str:
    """Control id as OSCAL allows ids: ``pack/name`` becomes ``pack.name``."""
    token = re.sub(r"[^A-Za-z0-9._-]", "_", control.replace("/", "."))
    return token if re.match(r"[A-Za-z_]", token) else f"_{token}"


def _line(text: str) -> str:
    """One line without blanks at its ends, ``-`` for nothing: all that OSCAL takes as a value."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split()) or "-"


def _markup(text: str) -> str:
    """Text as OSCAL's markup: names must not become links or emphasis in somebody's viewer."""
    return _MARKDOWN.sub(r"\\\1", _line(text))
