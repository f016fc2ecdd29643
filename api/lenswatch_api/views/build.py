"""Prepares the views of an audit when it ends, so that looking at them costs a file.

Runs in the process of the audit, which holds all of it in memory; a later request would have to
walk through millions of findings.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.measurements.content import Carries
from lenswatch.model import Finding, Verdict
from lenswatch.reports.end_use import end_use
from lenswatch.reports.summary import Summary
from lenswatch_api.audits.results import plain
from lenswatch_api.views.map_file import write_map

if TYPE_CHECKING:
    from lenswatch.measurements.routing import RoutingMeasurements
    from lenswatch.result import AuditResult

FOLDER = "views"
"""Below the reports of an audit; never listed as a report."""

RATIOS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0)
"""Bounds between the bars of a histogram: measured value over limit."""
_LISTED = 50
_MOST_WAYS = 500
_RETENTION = "retention-over-limit"


def write_views(result: AuditResult, folder: Path) -> None:
    """Write every view into ``folder``, which is made."""
    folder.mkdir(mode=0o700)
    summary = Summary(result)
    routing = result.measurements.routing
    views: dict[str, Any] = {
        "end-use": [
            {
                "vendor": use.vendor,
                "model": use.model,
                "nodes": use.nodes,
                "parts": [{"check": check, **plain(part)} for check, part in use.parts.items()],
            }
            for use in end_use(summary)
        ],
        "retention": retention(result.findings),
        "sinks": [] if routing is None else sinks(routing, _named(result.findings)),
    }
    for name, view in views.items():
        (folder / f"{name}.json").write_text(json.dumps(view), encoding="utf-8")
    write_map(summary, folder)


def retention(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """For each control that bounds retention: how far below or above the limit subjects are."""
    by_control: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.check == _RETENTION:
            by_control[finding.control].append(finding)
    views = []
    for control, found in sorted(by_control.items()):
        known = [item for item in found if item.measured is not None and item.limit]
        ratios = np.array([(item.measured or 0.0) / (item.limit or 1.0) for item in known])
        bars = np.bincount(np.searchsorted(RATIOS, ratios), minlength=len(RATIOS) + 1)
        order = np.argsort(-ratios, kind="stable")[:_LISTED]
        views.append(
            {
                "control": control,
                "unit": found[0].unit,
                "bounds": list(RATIOS),
                "bars": [int(count) for count in bars],
                "unknown": len(found) - len(known),
                "verdicts": plain(Counter(item.verdict for item in found)),
                "longest": [
                    {
                        "subject": item.subject,
                        "verdict": item.verdict.value,
                        "measured": plain(item.measured),
                        "limit": plain(item.limit),
                        "lower": plain(item.interval.lower) if item.interval else None,
                        "upper": plain(item.interval.upper) if item.interval else None,
                    }
                    for item in (known[i] for i in order)
                ],
            }
        )
    return views


def _named(findings: Iterable[Finding]) -> str:
    """What findings about routes say: only endpoints that occur there may be named."""
    return "\n".join(
        f"{finding.subject} {finding.reason}"
        for finding in findings
        if finding.check.startswith("route-") and finding.verdict is Verdict.FAIL
    )


def sinks(routing: RoutingMeasurements, named: str) -> list[dict[str, Any]]:
    """Where media comes to rest, each with the ways it came, most cameras first.

    A way is the last hop: straight from cameras, or through one recorder or relay. Cameras are
    counted over proven hops only; a way whose last hop is not proven says so and counts apart.
    """
    media = np.flatnonzero(routing.carries == Carries.MEDIA)
    sender, receiver = routing.sender[media], routing.receiver[media]
    proven, octets = routing.proven[media], routing.octets[media]
    vertices = routing.conversations.vertices
    passes_on = np.zeros(vertices, np.bool_)
    passes_on[sender] = True
    nodes = routing.conversations.nodes
    keeps = routing.central.copy()
    keeps[:nodes] |= routing.inventory.kind == "recorder"
    rests = np.unique(receiver[~passes_on[receiver] | keeps[receiver]])
    is_camera = np.zeros(vertices, np.bool_)
    is_camera[routing.inventory.cameras] = True
    behind = _Behind(sender[proven], receiver[proven], is_camera)
    into = np.argsort(receiver, kind="stable")
    found = []
    for sink in rests.tolist():
        links = into[
            np.searchsorted(receiver, sink, sorter=into) : np.searchsorted(
                receiver, sink, side="right", sorter=into
            )
        ]
        direct = links[is_camera[sender[links]]]
        ways = []
        if len(direct):
            ways.append(_way("", len(np.unique(sender[direct])), octets[direct], proven[direct]))
        for link in links[~is_camera[sender[links]]].tolist():
            via = int(sender[link])
            place = slice(link, link + 1)
            name = _name(routing, via, named)
            ways.append(_way(name, len(behind.cameras(via)), octets[place], proven[place]))
        ways.sort(key=lambda way: (-way["cameras"], way["via"]))
        inside = sink < nodes
        found.append(
            {
                "sink": _name(routing, sink, named),
                "kind": str(routing.inventory.kind[sink]) if inside else "",
                "in_inventory": inside,
                "declared": bool(routing.declared_sink[sink]),
                "central": bool(routing.central[sink]),
                "cameras": len(behind.cameras(sink)),
                "bytes": float(octets[links].sum()),
                "ways": ways[:_MOST_WAYS],
            }
        )
    found.sort(key=lambda item: (-item["cameras"], item["sink"]))
    return found


def _way(
    via: str, cameras: int, octets: NDArray[np.float64], proven: NDArray[np.bool_]
) -> dict[str, Any]:
    return {
        "via": via,
        "cameras": cameras,
        "bytes": float(octets.sum()),
        "proven": bool(proven.all()),
    }


def _name(routing: RoutingMeasurements, vertex: int, named: str) -> str:
    """Id of a node, address of an endpoint that a finding is about, else empty.

    The address of a bystander never leaves the audit.
    """
    name = routing.name(vertex)
    if vertex < routing.conversations.nodes or name in named.replace(",", " ").split():
        return name
    return ""


class _Behind:
    """Cameras whose video arrives at a vertex over proven hops."""

    def __init__(
        self,
        sender: NDArray[np.int32],
        receiver: NDArray[np.int32],
        is_camera: NDArray[np.bool_],
    ) -> None:
        order = np.argsort(receiver, kind="stable")
        self._sender, self._receiver = sender[order], receiver[order]
        self._is_camera = is_camera
        self._known: dict[int, NDArray[np.int32]] = {}

    def cameras(self, vertex: int) -> NDArray[np.int32]:
        """Vertices of those cameras, in rising order."""
        if vertex in self._known:
            return self._known[vertex]
        seen = np.array([vertex], np.int32)
        edge = seen
        while len(edge):
            starts = np.searchsorted(self._receiver, edge)
            ends = np.searchsorted(self._receiver, edge, side="right")
            places = [np.arange(a, b) for a, b in zip(starts, ends, strict=True) if b > a]
            reached = np.unique(self._sender[np.concatenate(places)]) if places else edge[:0]
            edge = np.setdiff1d(reached, seen)
            seen = np.union1d(seen, edge)
        found: NDArray[np.int32] = seen[self._is_camera[seen] & (seen != vertex)]
        self._known[vertex] = found
        return found
