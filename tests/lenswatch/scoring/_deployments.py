"""Generated deployments: an inventory, packs and findings, as hypothesis strategies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from lenswatch.evidence.inventory import Inventory
from lenswatch.model import Confidence, Finding, Severity, Verdict
from lenswatch.policy import Control, Force, Pack, SourceBasis, Subjects

JUDGED = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)


def inventory(rows: list[dict[str, str]]) -> Inventory:
    columns = ("node_id", "kind", "district", "vendor", "model")
    table = {name: [row.get(name) for row in rows] for name in columns}
    return Inventory(
        pa.table({name: pa.array(cells, pa.string()) for name, cells in table.items()})
    )


def control(identifier: str, weight: float = 1.0, subjects: Subjects = Subjects.CAMERAS) -> Control:
    return Control(
        id=identifier,
        title="",
        check="face-captured",
        force=Force.DEFAULT,
        source="test",
        basis=SourceBasis.READ,
        remediation="",
        weight=weight,
        subjects=subjects,
    )


def pack(identifier: str, controls: list[Control]) -> Pack:
    return Pack(identifier, "", "1.0.0", "", tuple(controls), "sha256:0")


def finding(control_id: str, subject: str, verdict: Verdict) -> Finding:
    return Finding(
        control=control_id,
        check="face-captured",
        subject=subject,
        verdict=verdict,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        reason="",
        remediation="",
    )


@dataclass(frozen=True)
class Deployment:
    inventory: Inventory
    packs: list[Pack]
    findings: list[Finding]

    def with_verdict(self, position: int, verdict: Verdict) -> list[Finding]:
        changed = list(self.findings)
        changed[position] = replace(changed[position], verdict=verdict)
        return changed


@st.composite
def deployments(draw: Any, verdicts: tuple[Verdict, ...] = tuple(Verdict)) -> Deployment:
    size = draw(st.integers(1, 8))
    rows = [
        {
            "node_id": f"n{number}",
            "kind": draw(st.sampled_from(["camera", "camera", "recorder", "relay", "sink"])),
            "district": draw(st.sampled_from(["north", "south", ""])),
            "vendor": draw(st.sampled_from(["a", "b", ""])),
            "model": draw(st.sampled_from(["x", "b", ""])),
        }
        for number in range(size)
    ]
    packs = []
    for name in draw(st.lists(st.sampled_from(["p", "q"]), min_size=1, max_size=2, unique=True)):
        number = draw(st.integers(1, 3))
        controls = [
            control(
                f"{name}/c{place}",
                draw(st.floats(0.01, 1000, allow_nan=False)),
                draw(st.sampled_from(Subjects)),
            )
            for place in range(number)
        ]
        packs.append(pack(name, controls))
    kinds = {
        "cameras": ("camera",),
        "recorders": ("recorder",),
        "sinks": ("sink",),
        "senders": ("camera", "recorder", "relay"),
        "forwarders": ("recorder", "relay"),
        "routers": ("router", "switch"),
    }
    findings = []
    for item in packs:
        for rule in item.controls:
            wanted = kinds.get(rule.subjects)
            subjects = ["deployment"]
            if rule.subjects is not Subjects.DEPLOYMENT:
                subjects = [
                    f"node:{row['node_id']}"
                    for row in rows
                    if wanted is None or row["kind"] in wanted
                ]
            findings += [
                finding(rule.id, subject, draw(st.sampled_from(verdicts)))
                for subject in subjects
                if draw(st.integers(0, 4))
            ]
    return Deployment(inventory(rows), packs, findings)
