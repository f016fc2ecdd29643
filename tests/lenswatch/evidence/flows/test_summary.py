"""Summaries give the same whether the records fit the memory or go through files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.flows.traffic import as_pcap, build
from lenswatch.evidence.flows import FlowReader, FlowTable
from lenswatch.evidence.flows.spool import FlowSpool
from lenswatch.evidence.flows.summary import observed_paths, top_talkers
from lenswatch.evidence.flows.table import DTYPES, concatenate

PAIR = ("source_high", "source_low", "destination_high", "destination_low")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three exporters that tell of the same flows."""
    path = tmp_path_factory.mktemp("flows") / "exports.pcap"
    path.write_bytes(as_pcap(build(10, 40_000, exporters=3)))
    return path


def by_dictionary(table: FlowTable) -> dict[tuple[int, ...], int]:
    sums: dict[tuple[int, ...], int] = {}
    keys = np.stack([getattr(table, name) for name in PAIR], axis=1).tolist()
    for key, octets in zip(keys, table.octets.tolist(), strict=True):
        sums[tuple(key)] = sums.get(tuple(key), 0) + octets
    return sums


@pytest.mark.parametrize("once", [False, True])
def test_top_is_the_same_through_files(capture: Path, once: bool) -> None:
    def top(memory: int) -> list[dict[str, object]]:
        reader = FlowReader([capture], root=capture.parent)
        return top_talkers(reader, reader, "pair", PAIR, 25, once=once, memory_bytes=memory)

    large, small = top(1 << 30), top(1 << 19)
    assert large == small
    assert len(large) == 25
    if not once:
        table = concatenate(list(FlowReader([capture], root=capture.parent)))
        most = sorted(by_dictionary(table).values(), reverse=True)[:25]
        assert [row["octets"] for row in large] == most


def test_paths_are_the_same_through_files(capture: Path) -> None:
    def paths(memory: int) -> list[dict[str, object]]:
        reader = FlowReader([capture], root=capture.parent)
        return observed_paths(reader, reader, 25, memory_bytes=memory)

    large, small = paths(1 << 30), paths(1 << 19)
    assert large == small
    assert len(large) == 25


def test_a_spool_gives_back_what_it_was_given(capture: Path, tmp_path: Path) -> None:
    tables = list(FlowReader([capture], root=capture.parent))
    with FlowSpool(1 << 18, tmp_path) as spool:
        for table in tables:
            spool.add(table)
        back = list(spool.parts())
        assert spool.spilled_rows == sum(len(table) for table in tables)
    assert len(back) > 1
    assert not list(tmp_path.iterdir())
    given, got = concatenate(tables), concatenate(back)
    for name in DTYPES:
        assert sorted(getattr(got, name).tolist()) == sorted(getattr(given, name).tolist())
    # no conversation is in two parts
    seen: set[tuple[int, ...]] = set()
    for part in back:
        columns = [getattr(part, name) for name in (*PAIR, "source_port", "destination_port")]
        here = set(zip(*(column.tolist() for column in columns), strict=True))
        assert not here & seen
        seen |= here
