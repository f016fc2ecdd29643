"""Flow records of every kind: bytes in, one columnar table out.

`FlowReader` streams files of any kind into `FlowTable` batches and knows afterwards who exported
them and what was wrong; `read_ahead` lets it run beside its user; `deduplicate` counts a flow once
that several routers saw.
"""

from __future__ import annotations

from lenswatch.evidence.flows.ahead import read_ahead
from lenswatch.evidence.flows.exporters import Exporter
from lenswatch.evidence.flows.reader import FlowReader
from lenswatch.evidence.flows.sightings import Observations, deduplicate
from lenswatch.evidence.flows.table import (
    Application,
    Direction,
    FlowTable,
    concatenate,
    from_arrow,
)

__all__ = [
    "Application",
    "Direction",
    "Exporter",
    "FlowReader",
    "FlowTable",
    "Observations",
    "concatenate",
    "deduplicate",
    "from_arrow",
    "read_ahead",
]
