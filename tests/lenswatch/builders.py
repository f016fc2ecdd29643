"""Small bundles and flow tables made by hand, so that a person can see what is in them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from lenswatch.evidence.deployment import Deployment
from lenswatch.evidence.flows.table import FlowTable, empty
from lenswatch.evidence.inventory import Inventory
from lenswatch.evidence.inventory_reader import read_inventory
from lenswatch.policy import Control, Force, SourceBasis

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
DEPLOYMENT_YAML = "name: test\nas_of: 2026-11-24T00:00:00Z\ndeclared:\n  retention_hours: 72\n"
NODES_CSV = (
    "node_id,kind,district,addresses,declared_upstream\n"
    "cam-1,camera,north,10.0.1.1,rec-n\n"
    "cam-2,camera,south,10.0.2.1,rec-s\n"
    "rec-n,recorder,north,10.0.1.100,platform\n"
    "rec-s,recorder,south,10.0.2.100,\n"
    "router-1,router,north,10.0.1.254,\n"
    "platform,sink,centre,10.9.0.1,\n"
)


def write_bundle(root: Path, *, nodes: str = NODES_CSV, deployment: str = DEPLOYMENT_YAML) -> Path:
    """A bundle without video, flows or recordings."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "deployment.yaml").write_text(deployment, "utf-8")
    (root / "nodes.csv").write_text(nodes, "utf-8")
    return root


def inventory_of(folder: Path, nodes: str = NODES_CSV) -> Inventory:
    """An inventory from CSV text."""
    path = folder / "nodes.csv"
    path.write_text(nodes, "utf-8")
    return read_inventory(path, name="nodes.csv")[0]


def deployment_of(sinks: tuple[str, ...] | None = None, hours: float | None = 72.0) -> Deployment:
    """A deployment judged at :data:`AS_OF`."""
    return Deployment("test", AS_OF, declared_retention_hours=hours, declared_sinks=sinks)


def address_words(text: str) -> tuple[int, int]:
    """An address as the two words a flow table keeps."""
    address = ipaddress.ip_address(text)
    value = int(address) + (0xFFFF << 32 if address.version == 4 else 0)
    return value >> 64, value & ((1 << 64) - 1)


def flows(*records: dict[str, Any]) -> FlowTable:
    """A flow table; a record names ``source``, ``destination`` and any column to change.

    Without more it is one minute of video: 6 MB in packets of 1,200 octets over UDP.
    """
    table = empty(len(records))
    for row, record in enumerate(records):
        values: dict[str, Any] = {
            "octets": 6_000_000,
            "packets": 5_000,
            "protocol": 17,
            "source_port": 40_000,
            "destination_port": 50_000,
            "start_ms": 1_000_000,
            "end_ms": 1_060_000,
            "sampling": 1,
        } | record
        for side in ("source", "destination"):
            high, low = address_words(values.pop(side))
            values |= {f"{side}_high": high, f"{side}_low": low}
        for name, value in values.items():
            getattr(table, name)[row] = value
    return table


def control(check: str, **changes: Any) -> Control:
    """A control for a check, with a limit of zero unless told otherwise."""
    fields: dict[str, Any] = {
        "id": f"test/{check}",
        "title": check,
        "check": check,
        "force": Force.DEFAULT,
        "source": "the tests",
        "basis": SourceBasis.READ,
        "remediation": "mend it",
        "max": 0.0,
    } | changes
    return Control(**fields)


def verdicts(findings: Sequence[Any]) -> dict[str, str]:
    """Subject to verdict."""
    assert len({finding.subject for finding in findings}) == len(findings), "a subject twice"
    return {finding.subject: str(finding.verdict) for finding in findings}


def shuffled(table: FlowTable, seed: int) -> FlowTable:
    """The same records in another order."""
    return table.take(np.random.default_rng(seed).permutation(len(table)))
