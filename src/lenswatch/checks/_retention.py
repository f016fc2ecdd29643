"""What the retention checks share: which rows speak of a camera, limits, and wording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from lenswatch.evidence.recordings.artefacts import Kind
from lenswatch.evidence.recordings.clocks import Clock
from lenswatch.measurements import Measurements
from lenswatch.measurements.retention import CLOCKS, RetentionMeasurements
from lenswatch.model import Confidence, EvidenceRef, Finding, Verdict, joined, sentence
from lenswatch.policy import Control

NO_RECORDINGS = sentence("The bundle holds no recordings, so what is kept is not known.")
NOT_HELD = sentence("No store of the bundle is declared to hold this camera's recordings.")
HOLDS_NOTHING = sentence("Its stores hold nothing of it.")

_HOURS = {"": 1.0, "h": 1.0, "hour": 1.0, "hours": 1.0, "d": 24.0, "day": 24.0, "days": 24.0}


FOOTAGE = (Kind.RECORDING, Kind.EVENT_CLIP)

_CLOCK_NOTES = {
    Clock.NAME_CONTAINER: sentence("file name and container time disagree"),
    Clock.NAME_MODIFIED: sentence("the modification time is before the time in the name"),
    Clock.CONTAINER_MODIFIED: sentence("the modification time is before the container time"),
    Clock.NAME_DATABASE: sentence("file name and database row disagree"),
    Clock.FOLD: sentence("the local time occurred twice (clock change)"),
    Clock.GAP: sentence("the local time never occurred (clock change)"),
    Clock.ZONE_UNKNOWN: sentence("the time zone is not declared"),
}


def finding(
    check: str, control: Control, unit: str = "hours"
) -> tuple[partial[Finding], partial[Finding]]:
    """A finding of this control with all but the conclusion, and an inconclusive one."""
    blank = partial(
        Finding,
        control=control.id,
        check=check,
        severity=control.severity,
        remediation=control.remediation,
        unit=unit,
    )
    return blank, partial(blank, verdict=Verdict.INCONCLUSIVE, confidence=Confidence.LOW)


def without_recordings(measurements: Measurements, unknown: partial[Finding]) -> Iterator[Finding]:
    """Every camera, inconclusive."""
    for row in measurements.inventory.cameras.tolist():
        subject = f"node:{measurements.inventory.node_id[row]}"
        yield unknown(subject=subject, reason=NO_RECORDINGS)


def hours_of(value: float | None, control: Control) -> float | None:
    """A limit of the control in hours."""
    return None if value is None else value * _HOURS.get(control.unit, 1.0)


def declared(measurements: Measurements, row: int) -> float | None:
    """Declared limit of a node in hours; ``row`` -1 for the deployment's own."""
    column = measurements.inventory.declared_retention_hours
    if row >= 0 and column is not None and not np.isnan(column[row]):
        return float(column[row])
    return measurements.deployment.declared_retention_hours


def limit_of(measurements: Measurements, control: Control, row: int) -> float | None:
    """The control's upper limit for a node in hours; the stricter where it sets two."""
    limits = [hours_of(control.max, control)]
    if control.limit_from:
        limits.append(declared(measurements, row))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


@dataclass(frozen=True, slots=True)
class Subject:
    """A camera, or a store for what belongs to no camera, and its rows of the measurements."""

    name: str
    node: int
    """Row of the inventory; -1 for a store."""
    rows: npt.NDArray[np.int64]
    """Empty where no store speaks of the camera."""


def subjects(measurements: Measurements, retention: RetentionMeasurements) -> Iterator[Subject]:
    """Every camera of the inventory, then every store that holds artefacts of no known camera."""
    inventory = measurements.inventory
    order = np.argsort(retention.node, kind="stable")
    node = retention.node[order]
    cameras = inventory.cameras
    first = np.searchsorted(node, cameras).tolist()
    last = np.searchsorted(node, cameras, side="right").tolist()
    for row, low, high in zip(cameras.tolist(), first, last, strict=True):
        yield Subject(f"node:{inventory.node_id[row]}", row, order[low:high])
    orphans = np.flatnonzero((retention.node < 0) & (retention.count + retention.undated > 0))
    for store in np.unique(retention.store[orphans]).tolist():
        name = f"store:{retention.stores[store].store.id}"
        yield Subject(name, -1, orphans[retention.store[orphans] == store])


def doubt(retention: RetentionMeasurements, rows: npt.NDArray[np.int64]) -> str:
    """Why a pass over these rows would say too much; empty where nothing is in the way."""
    for store in sorted(set(retention.store[rows].tolist())):
        summary = retention.stores[store]
        if not summary.complete:
            problem = next((p for p in summary.problems if not p.warning), None)
            if problem is None:
                return sentence(
                    "The store {store} could not be read whole.", store=summary.store.id
                )
            return sentence(
                "The store {store} could not be read whole: {file}: {what}.",
                store=summary.store.id,
                file=problem.file,
                what=sentence(problem.message),
            )
    broken = rows[retention.broken[rows] > 0]
    if len(broken):
        return sentence(
            "{count} file(s) are broken, the first is {file}; what they hold and since when is not "
            "certain.",
            count=int(retention.broken[broken].sum()),
            file=retention.broken_file[broken[0]],
        )
    undated = int(retention.undated[rows].sum())
    if undated:
        return sentence("{count} artefact(s) carry no time at all.", count=undated)
    return ""


def clock_notes(retention: RetentionMeasurements, rows: npt.NDArray[np.int64]) -> str:
    """The disagreements of clocks, in words; empty where there are none."""
    totals = retention.clocks[rows].sum(axis=0)
    notes = [
        sentence("in {count} artefact(s) {what}", count=int(totals[CLOCKS.index(flag)]), what=what)
        for flag, what in _CLOCK_NOTES.items()
        if totals[CLOCKS.index(flag)]
    ]
    return sentence("Clocks: {notes}.", notes=joined(notes, "{first}; {second}")) if notes else ""


def offset_notes(retention: RetentionMeasurements, rows: npt.NDArray[np.int64]) -> str:
    """How far the recorders' clocks are off the flows'; empty where the bundle holds no flows."""
    notes = []
    for store in sorted(set(retention.store[rows].tolist())) if retention.offsets else ():
        offset, name = retention.offsets[store], retention.stores[store].store.id
        if offset.reason:
            note = sentence(
                "How far the clock of {store} is from the flows' cannot be told: {reason}.",
                store=name,
                reason=sentence(offset.reason),
            )
        else:
            note = sentence(
                "The clock of {store} is {low:+.1f} to {high:+.1f} min off the flows'.",
                store=name,
                low=60 * offset.low,
                high=60 * offset.high,
            )
        notes.append(note)
    return joined(notes)


def dated_by_copy_time(retention: RetentionMeasurements, row: int) -> bool:
    """Whether the row's artefacts have nothing but modification times, which copying renews."""
    clocks = retention.clocks[row]
    spoken = [CLOCKS.index(flag) for flag in (Clock.DATABASE, Clock.NAME, Clock.CONTAINER)]
    return int(clocks[spoken].sum()) < int(retention.count[row])


def kind_words(retention: RetentionMeasurements, row: int) -> str:
    """``recording``, ``face crop``."""
    return sentence(Kind(int(retention.kind[row])).words)


def span(hours: float) -> str:
    """``71.5 h`` or ``12.3 days``, as people say it."""
    if np.isinf(hours):
        return sentence("no limit")
    if abs(hours) < 96:
        return sentence("{hours:.1f} h", hours=hours)
    return sentence("{days:.1f} days", days=hours / 24)


def references(
    retention: RetentionMeasurements, rows: npt.NDArray[np.int64]
) -> tuple[EvidenceRef, ...]:
    """The stores that the rows come from."""
    summaries = [retention.stores[store] for store in sorted(set(retention.store[rows].tolist()))]
    return tuple(
        EvidenceRef(summary.described, f"store {summary.store.id}") for summary in summaries
    )
