"""What the fuzzers run: every decoder over a buffer of messages. None may raise or overrun."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.captures import TrafficReader, read_batches
from lenswatch.evidence.flows.export_state import Datagrams
from lenswatch.evidence.flows.exporters import ExporterBook
from lenswatch.evidence.flows.exports import ExportDecoder
from lenswatch.evidence.flows.sflow import SflowDecoder
from lenswatch_kernels import packets, pcap
from lenswatch_kernels.export_payloads import classify_payloads


def datagrams(offset: NDArray[Any], length: NDArray[Any]) -> Datagrams:
    count = len(offset)
    return Datagrams(
        offset, length, np.zeros(count, np.uint32), np.zeros(count, np.uint32), offset,
        np.full(count, -1, np.int64),
    )  # fmt: skip


class Targets:
    """One decoder each, kept from call to call so that state is fuzzed too."""

    def __init__(self) -> None:
        self.book = ExporterBook()
        self.book.address(0, 1)

    @cached_property
    def exports(self) -> ExportDecoder:
        return ExportDecoder(self.book)

    @cached_property
    def sflow(self) -> SflowDecoder:
        return SflowDecoder(self.book)

    @cached_property
    def memory(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        return packets.new_fragment_memory()

    def run_exports(self, data: NDArray[Any], offset: NDArray[Any], length: NDArray[Any]) -> int:
        classify_payloads(data, offset, length)
        return len(self.exports.decode(data, datagrams(offset, length)))

    def run_sflow(self, data: NDArray[Any], offset: NDArray[Any], length: NDArray[Any]) -> int:
        return len(self.sflow.decode(data, datagrams(offset, length)))

    def run_packets(self, data: NDArray[Any], offset: NDArray[Any], length: NDArray[Any]) -> int:
        link = np.resize(np.array([1, 1, 1, 101, 0, 113, 276, 9, 219], np.int32), len(offset))
        return len(packets.decode_packets(data, offset, length, link, self.memory).packet)

    @staticmethod
    def run_capture(data: bytes) -> int:
        """A whole capture file: index, headers, flows."""
        buffer = np.frombuffer(data, np.uint8)
        try:
            walk = pcap.start_walk(buffer)
        except ValueError:
            return 0
        reader = TrafficReader(0, 0, most_flows=32)
        rows = 0
        for batch in read_batches(buffer, walk):
            rows += len(reader.add(buffer, batch))
        return rows + len(reader.finish())


VERSIONS = {"netflow5": b"\0\5", "netflow9": b"\0\x09", "ipfix": b"\0\x0a"}
"""First bytes of a message of each version."""


def run_one(target: str, data: bytes) -> int:
    """One input of a fuzzer: a datagram, a packet, or (``capture``) a whole file; rows decoded.

    Two messages of the same bytes follow each other, so that the second meets the state which the
    first left behind.
    """
    if not data:
        return 0
    if target == "capture":
        return Targets.run_capture(data)
    if target in VERSIONS:
        data = VERSIONS[target] + data[2:]
        if len(data) < 3:
            return 0
        block = np.frombuffer(data * 2, np.uint8)
        offset = np.array([0, len(data)], np.int64)
        return Targets().run_exports(block, offset, np.full(2, len(data), np.int64))
    block, offset = np.frombuffer(data, np.uint8), np.zeros(1, np.int64)
    length = np.array([len(data)], np.int64)
    if target == "sflow":
        return Targets().run_sflow(block, offset, length)
    link = np.array([(1, 101, 0, 113, 276, 9, 219)[data[0] % 7]], np.int32)
    return len(packets.decode_packets(block, offset + 1, length - 1, link).packet)
