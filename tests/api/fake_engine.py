"""A stand-in for the engine: what it does is written in the bundle's deployment.yaml."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from lenswatch.errors import EvidenceUnusable
from lenswatch.evidence.inventory import Inventory
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
from lenswatch.scoring import Driver, Part, Score, Tally

_TALLY = Tally(passed=4, failed=4, inconclusive=2)
_PART = Part(low=40.0, high=60.0, tally=_TALLY)
SCORE = Score(
    low=40.0,
    high=60.0,
    grade="E",
    low_without_exceptions=40.0,
    tally=_TALLY,
    by_pack={"core": _PART},
    by_district={"North": _PART, "South": _PART},
    by_vendor={"Acme Optics": _PART, "Bright Eye": _PART},
    by_model={},
    drivers=(
        Driver("core/faces", "Faces are masked", 1.0, 0.2, 0.4, 40.0, 30.0, _TALLY),
        Driver("core/retention", "Recordings go in time", 1.0, 0.6, 0.8, 20.0, 10.0, _TALLY),
    ),
)


DISTRICTS, VENDORS, MODELS = ("North", "South"), ("Acme Optics", "Bright Eye"), ("A1", "B2")


def inventory(cameras: int) -> Inventory:
    numbers = range(cameras)
    return Inventory(
        pa.table(
            {
                "node_id": [f"cam-{number}" for number in numbers],
                "kind": ["camera" for _ in numbers],
                "district": [DISTRICTS[number % 2] for number in numbers],
                "vendor": [VENDORS[number % 2] for number in numbers],
                "model": [MODELS[number % 2] for number in numbers],
                "lat": [29.5 + 0.001 * (number % 17) for number in numbers],
                "lon": [106.5 + 0.001 * (number % 23) for number in numbers],
            }
        )
    )


def finding(number: int, better: bool = False) -> Finding:
    verdict = (Verdict.FAIL, Verdict.PASS, Verdict.INCONCLUSIVE)[number % 3]
    if better and verdict is Verdict.FAIL:
        verdict = Verdict.PASS
    return Finding(
        control=("core/faces", "core/retention")[number % 2],
        check=("face-captured", "retention-over-limit")[number % 2],
        subject=f"node:cam-{number}",
        verdict=verdict,
        severity=tuple(Severity)[number % 4],
        confidence=Confidence.HIGH,
        reason="A reason.",
        remediation="A remedy.",
        measured=None if number % 5 == 0 else float(number % 7),
        limit=3.0,
        unit="h",
        interval=Interval(0.0, 9.0) if number % 2 else None,
        basis=Basis.PROVEN,
        evidence=(EvidenceRef("recordings/a.mp4", "all"),),
    )


def run_audit(
    bundle: Path,
    *,
    packs: Sequence[str] = ("core",),
    out: Path,
    progress: Callable[[str, int, int], None] | None = None,
    threads: int = 2,
) -> Any:
    settings = dict(
        line.split(": ", 1)
        for line in (bundle / "deployment.yaml").read_text().splitlines()
        if ": " in line
    )
    if settings.get("behaviour") == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if settings.get("behaviour") == "unusable":
        raise EvidenceUnusable("it is broken", file=str(bundle / "nodes.csv"), remedy="mend it")
    if settings.get("behaviour") == "bug":
        raise ValueError("10.1.2.3 was here")
    steps = int(settings.get("steps", "2"))
    for step in range(steps):
        if progress is not None:
            progress("pretending", step, steps)
        time.sleep(float(settings.get("seconds", "0")) / steps)
    (out / "report.html").write_text("<!doctype html><title>Report</title><p>Fine.")
    (out / "findings.json").write_text("{}")
    better = settings.get("better") == "True"
    count = int(settings.get("findings", "30"))
    findings = [finding(number, better) for number in range(count)]
    findings.sort(key=lambda item: (item.control, item.subject))
    return SimpleNamespace(
        tool="lenswatch test",
        bundle_digest="sha256:" + "0" * 64,
        findings=tuple(findings),
        verdict=Verdict.FAIL,
        score=SCORE,
        packs=(),
        coverage={"cameras": 2, "share": float("nan")},
        measurements=SimpleNamespace(
            inventory=inventory(len(findings)),
            routing=None,
            problems=(Problem("nodes.csv", "a column is missing", "add it", line=1),),
        ),
    )
