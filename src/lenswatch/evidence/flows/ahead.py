"""Reads flow evidence on a thread of its own while the tables before are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor

from lenswatch.evidence.flows.table import FlowTable

_AHEAD = 4
"""Tables decoded before they are wanted: enough that neither side waits for the other's longest."""


def read_ahead(tables: Iterable[FlowTable]) -> Generator[FlowTable]:
    """The same tables in the same order.

    Decoders and sums are compiled loops that let other threads run, so that two processors are
    busy. An error of the reader is raised where its table would have come.
    """
    source = iter(tables)
    with ThreadPoolExecutor(1, "flows") as reader:
        coming = deque(reader.submit(next, source, None) for _ in range(_AHEAD))
        while (table := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, source, None))
            yield table
