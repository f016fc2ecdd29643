"""Audit results made by hand, so that reports are tested without an audit."""

from __future__ import annotations

import collections
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.inventory import Inventory
from lenswatch.measurements import Measurements
from lenswatch.model import (
    Basis,
    Confidence,
    EvidenceRef,
    Finding,
    Interval,
    Problem,
    Severity,
    Verdict,
)
from lenswatch.policy import Control, Force, Pack, PolicyException, SourceBasis, Subjects
from lenswatch.result import AuditResult, Coverage
from lenswatch.scoring import score

AS_OF = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

FACES = Control(
    id="core/face-captured",
    title="The camera captures no face that is not masked",
    check="face-captured",
    force=Force.DEFAULT,
    source="lenswatch core",
    basis=SourceBasis.READ,
    remediation="Mask faces in the camera, or turn its view away from where people walk.",
    severity=Severity.HIGH,
    weight=3.0,
    max=0.0,
    unit="share",
)
RETENTION = Control(
    id="core/retention-over-limit",
    title="Nothing is kept longer than declared",
    check="retention-over-limit",
    force=Force.GUIDANCE,
    source="EDPB Guidelines 3/2019, paragraph 121",
    basis=SourceBasis.READ,
    remediation="Delete what is older than declared, recordings, exports and face crops alike.",
    severity=Severity.HIGH,
    weight=2.0,
    limit_from="declared_retention_hours",
    unit="hours",
)
CENTRAL = Control(
    id="core/route-central",
    title="No camera's stream reaches a central sink",
    check="route-central",
    force=Force.LAW,
    source="Face measures of 2025-06-01, Art 8",
    basis=SourceBasis.SECOND_HAND,
    remediation="Keep the stream inside the district, or register the central platform.",
    severity=Severity.CRITICAL,
    weight=3.0,
    max=0.0,
    unit="sinks",
)
PACK = Pack(
    id="core",
    title="What any deployment can be asked",
    version="1.0.0",
    description="Faces, retention and routing, measured by the deployment's own declarations.",
    controls=(FACES, RETENTION, CENTRAL),
    digest="sha256:" + "ab" * 32,
)


def inventory(cameras: int = 30, **columns: list[Any]) -> Inventory:
    """A little city of three districts on a grid; columns given replace the made-up ones."""
    rows = range(cameras)
    table = {
        "node_id": [f"cam-{row:03d}" for row in rows],
        "kind": ["camera"] * cameras,
        "vendor": [("Hikvision", "Axis", "Uniview")[row % 3] for row in rows],
        "model": [("DS-2CD2143", "P3265", "IPC322")[row % 3] for row in rows],
        "district": [("Nan'an", "Yuzhong", "Jiangbei")[row * 3 // max(cameras, 1)] for row in rows],
        "lat": [29.54 + 0.004 * (row % 7) + 0.02 * (row * 3 // max(cameras, 1)) for row in rows],
        "lon": [106.52 + 0.006 * (row % 5) + 0.01 * (row % 2) for row in rows],
        **columns,
    }
    return Inventory(pa.table(table))


def finding(
    control: Control, subject: str, verdict: Verdict, reason: str = "", **fields: Any
) -> Finding:
    fields.setdefault("severity", control.severity)
    fields.setdefault("confidence", Confidence.HIGH)
    fields.setdefault("remediation", control.remediation)
    fields.setdefault("unit", control.unit)
    return Finding(
        control=control.id,
        check=control.check,
        subject=subject,
        verdict=verdict,
        reason=reason or f"{control.title}: {verdict}.",
        **fields,
    )


def city_findings(cameras: int = 30) -> list[Finding]:
    """Every verdict occurs, with and without interval, proven and inferred."""
    found = []
    for row in range(cameras):
        subject = f"node:cam-{row:03d}"
        if row % 3 == 0:
            share = 0.05 + 0.02 * (row % 11)
            found.append(
                finding(
                    FACES,
                    subject,
                    Verdict.FAIL,
                    f"Unmasked faces in {share:.0%} of the frames looked at.",
                    measured=share,
                    limit=0.0,
                    interval=Interval(share * 0.6, min(share * 1.5, 1.0), 0.95, "clopper-pearson"),
                    evidence=(
                        EvidenceRef(f"video/cam-{row:03d}/clip.mp4", "00:00:04 to 00:00:09"),
                    ),
                )
            )
        elif row % 3 == 1:
            found.append(finding(FACES, subject, Verdict.PASS, "No unmasked face in 240 frames."))
        else:
            found.append(
                finding(
                    FACES,
                    subject,
                    Verdict.INCONCLUSIVE,
                    "There is no video of this camera.",
                    remediation="Add a clip of at least 60 seconds under video/.",
                )
            )
        over = row % 4 == 0
        hours = 720.0 if over else 40.0
        found.append(
            finding(
                RETENTION,
                subject,
                Verdict.FAIL if over else Verdict.PASS,
                f"The oldest artefact is {hours:.0f} hours old.",
                measured=hours,
                limit=72.0,
                interval=Interval(hours, float("inf"), 1.0, "bound"),
                evidence=(EvidenceRef("recordings/index.yaml", "store nvr-1"),),
            )
        )
        verdict = Verdict.EXCEPTED if row == 5 else Verdict.FAIL if row % 5 == 0 else Verdict.PASS
        found.append(
            finding(
                CENTRAL,
                subject,
                verdict,
                "Its stream reaches the city's video platform.",
                basis=Basis.INFERRED if row % 2 else Basis.PROVEN,
                confidence=Confidence.MEDIUM if row % 2 else Confidence.HIGH,
                measured=1.0 if verdict is not Verdict.PASS else 0.0,
                limit=0.0,
                evidence=(EvidenceRef("flows/router-1.ipfix", "records 120 to 410"),),
            )
        )
    found.append(
        finding(RETENTION, "store:nvr-1", Verdict.NOT_APPLICABLE, "A store of the operator's own.")
    )
    return sorted(found, key=lambda item: (item.control, item.subject))


def result(
    findings: list[Finding] | None = None,
    nodes: Inventory | None = None,
    *,
    packs: tuple[Pack, ...] = (PACK,),
    problems: tuple[Problem, ...] = (),
    exceptions: tuple[PolicyException, ...] = (),
    deployment: Deployment | None = None,
) -> AuditResult:
    """An audit result around some findings."""
    nodes = nodes or inventory()
    findings = city_findings() if findings is None else findings
    cameras = len(nodes.cameras)
    counts = collections.Counter(item.verdict.value for item in findings)
    return AuditResult(
        tool="lenswatch 0.1.0",
        bundle_digest="sha256:" + "cd" * 32,
        packs=packs,
        exceptions=exceptions,
        measurements=Measurements(
            deployment=deployment
            or Deployment(
                name="Small city", as_of=AS_OF, jurisdiction="CN", operator="City video bureau"
            ),
            inventory=nodes,
            problems=problems,
        ),
        findings=tuple(findings),
        score=score(findings, packs, nodes),
        coverage=Coverage(
            cameras=cameras,
            cameras_with_video=2 * cameras // 3,
            cameras_with_flows=cameras,
            cameras_with_recordings=cameras,
            flow_records=12_345,
            exporters=4,
            stores=1,
            verdicts=dict(counts),
        ),
    )


def city() -> AuditResult:
    """A result in which everything occurs that a report can show."""
    return result(
        problems=(
            Problem(
                "flows/router-2.ipfix",
                "a set that ends after the file",
                "export the file again",
                offset=10_240,
                part="flows",
            ),
            Problem(
                "nodes.csv", "an unknown column", "did you mean district?", line=1, warning=True
            ),
        ),
        exceptions=(
            PolicyException(
                "core/route-central",
                "node:cam-005",
                "Court order 17/2026 for the bridge.",
                "Data protection officer",
                date(2026, 6, 30),
            ),
        ),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '=HYPERLINK("http://evil.example","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "]]></failure><x>",
    "{{ 7*7 }}{% for x in y %}",
    '#let x = 1; #image("/etc/passwd") $x$',
    "[a link](http://evil.example) **bold**",
    "name\nwith\r\nlines\tand\x00\x1b[31m control",
    "\u202eright to left\u2066",
    "lone \ud800 surrogate",
    "&amp;&lt;&#60;",
    "javascript:alert(1)",
    "x" * 5000,
    "</style></script><script>alert(2)</script>",
    "重庆市渝中区",
)


def hostile() -> AuditResult:
    """A result whose every text is an attack."""
    names = [name.replace("\ud800", "?") for name in HOSTILE]  # Arrow holds no surrogates
    size = len(names)
    nodes = inventory(
        size,
        node_id=names,
        vendor=names,
        model=names,
        district=names,
    )
    found = [
        finding(
            FACES,
            f"node:{text}",
            (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.EXCEPTED)[row % 3],
            f"Reason {text}",
            remediation=text,
            unit=text[:20],
            measured=1.5,
            limit=1.0,
            interval=Interval(1.0, 2.0, 0.95, text),
            evidence=(EvidenceRef(text, text),),
        )
        for row, text in enumerate(HOSTILE)
    ]
    return result(
        sorted(found, key=lambda item: (item.control, item.subject)),
        nodes,
        problems=tuple(Problem(text, text, text, line=1) for text in HOSTILE),
        exceptions=tuple(
            PolicyException(FACES.id, f"node:{text}", text, text, date(2026, 1, 1))
            for text in HOSTILE
        ),
        packs=(
            Pack(
                id="core",
                title=HOSTILE[0],
                version=HOSTILE[1],
                description=HOSTILE[15],
                controls=(FACES, RETENTION, CENTRAL),
                digest="sha256:" + "ab" * 32,
            ),
        ),
        deployment=Deployment(name=HOSTILE[0], as_of=AS_OF, operator=HOSTILE[15]),
    )


__all__ = [
    "AS_OF",
    "CENTRAL",
    "FACES",
    "HOSTILE",
    "PACK",
    "RETENTION",
    "Subjects",
    "city",
    "hostile",
]
