"""lenswatch itself, asked like any other tool: by the ordinary readers and the ordinary audit."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lenswatch.suites.adapters._folders import answer_all

Questions = list[dict[str, Any]]
Answers = dict[str, Any]


def answer(task: str, folder: Path, questions: Questions) -> Answers:
    """Answers to one case."""
    return _TASKS[task](folder, questions)


def _capture(folder: Path, questions: Questions) -> Answers:
    from lenswatch.evidence.video.detectors import open_detector
    from lenswatch.evidence.video.frames_json import FramesWriter

    answers: Answers = {}
    detector = open_detector("centerface")
    for name in sorted({question["file"] for question in questions}):
        with tempfile.TemporaryDirectory() as aside:
            told = Path(aside) / "frames.json"
            with FramesWriter(told, detector, "fast", every_frame=True) as writer:
                writer.add(str(folder / name))
            frames = json.loads(told.read_text("utf-8"))["files"][0]["frames"]
        boxes = {round(frame["time"], 3): frame["boxes"] for frame in frames}
        for question in questions:
            if question["file"] == name:
                found = boxes.get(round(question["time_s"], 3))
                answers[question["id"]] = None if found is None else [box[:4] for box in found]
    return answers


def _verdicts_of(folder: Path) -> Mapping[tuple[str, str], Any]:
    """Findings of the ordinary audit under the core rules, by check and subject."""
    from lenswatch.audit import run_audit

    result = run_audit(folder / "bundle", packs=["core"])
    return {(finding.check, finding.subject): finding for finding in result.findings}


def _masking(folder: Path, questions: Questions) -> Answers:
    found = _verdicts_of(folder)
    answers: Answers = {}
    for question in questions:
        subject = f"node:{question['node']}"
        missing, leak = (
            str(found[name, subject].verdict) if (name, subject) in found else ""
            for name in ("mask-missing", "mask-leak")
        )
        if missing == "fail":
            answers[question["id"]] = "open"
        elif leak == "fail":
            answers[question["id"]] = "partly"
        else:
            answers[question["id"]] = "masked" if missing == "pass" else None
    return answers


def _retention(folder: Path, questions: Questions) -> Answers:
    found = _verdicts_of(folder)
    answers: Answers = {}
    for question in questions:
        finding = found.get(("retention-over-limit", f"node:{question['node']}"))
        if finding is None:
            answers[question["id"]] = None
        elif question["kind"] == "number":
            answers[question["id"]] = finding.measured
        else:
            answers[question["id"]] = {"fail": "yes", "pass": "no"}.get(str(finding.verdict))
    return answers


def _routing(folder: Path, questions: Questions) -> Answers:
    from lenswatch.evidence.flows import FlowReader

    found = _verdicts_of(folder)
    answers: Answers = {}
    sums: dict[str, dict[str, int]] = {}
    for question in questions:
        if question["kind"] == "choice":
            finding = found.get((question["check"], f"node:{question['node']}"))
            verdict = "" if finding is None else str(finding.verdict)
            answers[question["id"]] = {"fail": "yes", "pass": "no"}.get(verdict)
            continue
        name = question["file"]
        if name not in sums:
            row = {"records": 0, "packets": 0, "octets": 0}
            for table in FlowReader([folder / name], root=folder):
                row["records"] += len(table)
                row["packets"] += int(table.packets.sum())
                row["octets"] += int(table.octets.sum())
            sums[name] = row
        answers[question["id"]] = sums[name][question["sum"]]
    return answers


def _probe(folder: Path, questions: Questions) -> Answers:
    from lenswatch.evidence.captures import read_sent_packets
    from lenswatch.evidence.stimuli import read_stimuli
    from lenswatch.measurements.onset import Trigger, measure_onset

    answers: Answers = {}
    for question in questions:
        sent = read_sent_packets(folder / question["capture"], question["camera"])
        found = measure_onset(
            sent.second, sent.octets, sent.receiver, read_stimuli(folder / question["shown"])
        )
        told = {Trigger.NONE: "no", Trigger.NOT_OBSERVABLE: None}
        answers[question["id"]] = told.get(found.trigger, "yes")
    return answers


def _verdicts(folder: Path, questions: Questions) -> Answers:
    from lenswatch.errors import EvidenceUnusable

    try:
        found = _verdicts_of(folder)
    except EvidenceUnusable:
        return {question["id"]: None for question in questions}
    answers: Answers = {}
    for question in questions:
        finding = found.get((question["check"], question["subject"]))
        verdict = None if finding is None else str(finding.verdict)
        answers[question["id"]] = verdict if verdict in question["choices"] else None
    return answers


_TASKS = {
    "capture": _capture,
    "masking": _masking,
    "retention": _retention,
    "routing": _routing,
    "probe": _probe,
    "verdicts": _verdicts,
}

if __name__ == "__main__":
    sys.exit(answer_all(sys.argv[1:], answer))
