"""One reader for every kind of flow evidence."""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows import captures, logs, parquet, sightings
from lenswatch.evidence.flows.export_state import Break, Datagrams, FullRecord
from lenswatch.evidence.flows.exporters import Exporter, ExporterBook, Loss
from lenswatch.evidence.flows.exports import ExportDecoder
from lenswatch.evidence.flows.sflow import SflowDecoder
from lenswatch.evidence.flows.sniff import HEAD_BYTES, Kind, kind_of
from lenswatch.evidence.flows.table import DTYPES, FlowTable
from lenswatch.model import Problem, sentence
from lenswatch_kernels import export_messages, pcap, sequences
from lenswatch_kernels.record_operations import NO_BASE

_LET_GO_BYTES = 64 << 20
"""Bytes of a mapped file after which those that were read are let go."""

Progress = Callable[[str, int, int], None]

MOST_PROBLEMS_A_FILE = 20
"""Problems named one by one; the rest of a broken file is counted in a last one."""

_REMEDIES = {
    Kind.COMPRESSED: "unpack it first: the reader works on a memory map of the file",
    Kind.EMPTY: "export it again or take it out of the bundle",
    Kind.UNKNOWN: "give pcap, pcapng, raw NetFlow/IPFIX/sFlow payloads, Zeek conn.log, nfdump CSV "
    "or Parquet",
}
_BREAKS = {
    export_messages.TRUNCATED: "message ends before its own lengths say",
    export_messages.UNKNOWN_VERSION: "message of no known version",
    export_messages.BAD_SET: "set or record count breaks the message's length",
}


class FlowReader:
    """Iterate it once for the flow tables; ask it afterwards what it met.

    ``files`` are read in the order given (templates apply to what comes after them); a file given
    twice is read once. ``root`` is what paths in problems are relative to. ``memory_bytes`` bounds
    a batch to about a quarter of it. With ``split_biflows`` a record that holds both directions
    becomes two rows, which is what every measurement needs; without, its forward half only.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        root: Path,
        memory_bytes: int = 1 << 30,
        progress: Progress | None = None,
        split_biflows: bool = True,
        all_fields: bool = False,
        active_s: float = captures.ACTIVE_S,
    ) -> None:
        if memory_bytes < 1 << 20:
            raise ValueError("memory_bytes must be at least one MiB")
        self.files: tuple[Path, ...] = tuple(dict.fromkeys(Path(file) for file in files))
        """Files in the order read; `FlowTable.file` counts in it."""
        self._root = root
        self._memory = memory_bytes
        self._progress = progress
        self._active_s = active_s
        self._all_fields = all_fields
        self._book = ExporterBook()
        self._exports = ExportDecoder(
            self._book, split_biflows=split_biflows, all_fields=all_fields
        )
        self._sflow = SflowDecoder(self._book)
        self._sightings = sightings.SightingCounter()
        self._problems: list[Problem] = []
        self._problem_counts: dict[int, int] = defaultdict(int)
        self._kinds: dict[int, Kind] = {}
        self._started = False

    # -- what was met ------------------------------------------------------------------------

    @property
    def problems(self) -> tuple[Problem, ...]:
        """One for each malformed file or part, in the order met."""
        return tuple(self._problems)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What each file was found to be; ``UNKNOWN`` for files not read yet."""
        return tuple(self._kinds.get(row, Kind.UNKNOWN) for row in range(len(self.files)))

    @property
    def duplicates(self) -> int:
        """Records of flows that another router had exported before: second sightings.

        Exact up to 65,536 flows, beyond that estimated from a sample; `deduplicate` is exact.
        """
        return self._sightings.duplicates

    @property
    def waiting_sets(self) -> int:
        """Data sets that waited for a template and never got it."""
        return self._exports.waiting_sets + self._exports.losses.dropped_sets

    @property
    def exporters(self) -> tuple[Exporter, ...]:
        """Everyone records came from; `FlowTable.exporter` counts in it."""
        sessions = {session.row: number for number, session in enumerate(self._exports.sessions)}
        agents = {row: number for number, row in enumerate(self._sflow.agents)}
        found = []
        for row, (address, domain, protocol) in enumerate(self._book.entries):
            exporter = Exporter(
                address=self._book.text(address),
                observation_domain=domain,
                protocol=protocol,
                records=self._book.records.get(row, 0),
                active_timeout_s=self._book.longest(row),
                sampling=1 if protocol in ("capture", "zeek") else 0,
            )
            if row in sessions:
                exporter = self._with_session(exporter, sessions[row])
            elif row in agents:
                exporter = self._with_agent(exporter, row, agents[row])
            found.append(exporter)
        return tuple(found)

    def _with_session(self, exporter: Exporter, number: int) -> Exporter:
        from dataclasses import replace

        session = self._exports.sessions[number]
        state = self._exports.sequence_state[number]
        loss = Loss.of(exporter.protocol, session.most_records, state)
        return replace(
            exporter,
            messages=session.messages,
            options_records=session.options_records,
            sequence_gaps=loss.gaps,
            lost_units=loss.units,
            lost_records=loss.records,
            late_messages=int(state[sequences.LATE]),
            restarts=int(state[sequences.RESTARTS]),
            follows_rfc_sequence=loss.follows_rfc,
            sampling=session.sampling.fallback(),
            sampling_by_interface=dict(session.sampling.interfaces),
            sampling_by_sampler=dict(session.sampling.samplers),
            clock_offset_ms=session.clock_offset_ms,
            active_timeout_s=float(session.active_timeout_s) or exporter.active_timeout_s,
            start_estimated=session.init_ms != NO_BASE and not session.init_told,
        )

    def _with_agent(self, exporter: Exporter, row: int, number: int) -> Exporter:
        from dataclasses import replace

        agent = self._sflow.agents[row]
        state = self._sflow.sequence_state[number]
        loss = Loss.of(exporter.protocol, agent.most_samples, state)
        return replace(
            exporter,
            messages=agent.messages,
            sequence_gaps=loss.gaps,
            lost_units=loss.units,
            lost_records=loss.records,
            late_messages=int(state[sequences.LATE]),
            restarts=int(state[sequences.RESTARTS]),
            sampling=agent.sampling,
            sampler_drops=sum((agent.drops or {}).values()),
        )

    def full_records(self) -> Iterator[FullRecord]:
        """With ``all_fields``: records decoded since the last call, every field of them."""
        return self._exports.drain_full_records()

    # -- reading -----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[FlowTable]:
        if self._started:
            raise RuntimeError("a FlowReader is read once: make another")
        self._started = True
        for row, path in enumerate(self.files):
            if self._progress is not None:
                self._progress("flows", row, len(self.files))
            try:
                for table in self._read(row, path):
                    if len(table):
                        counts = self._sightings.add(table, self._address_of_exporter())
                        self._book.note(table, counts)
                        yield table
            except OSError as error:
                self._problem(
                    row,
                    sentence("cannot be read ({why})", why=sentence(error.strerror or "I/O error")),
                    "check its permissions",
                )
            self._take_breaks()
        self._conclude()
        if self._progress is not None:
            self._progress("flows", len(self.files), len(self.files))

    def _address_of_exporter(self) -> NDArray[np.int64]:
        return np.array([entry[0] for entry in self._book.entries], np.int64)

    def _read(self, row: int, path: Path) -> Iterator[FlowTable]:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        kind = kind_of(head)
        self._kinds[row] = kind
        if kind in _REMEDIES:
            what = {
                Kind.COMPRESSED: "compressed file",
                Kind.EMPTY: "empty file",
                Kind.UNKNOWN: "no kind of flow evidence",
            }[kind]
            self._problem(row, what, _REMEDIES[kind])
            return
        if kind is Kind.PARQUET:
            yield from self._read_parquet(row, path)
        elif kind in (Kind.ZEEK_TSV, Kind.ZEEK_JSON, Kind.NFDUMP_CSV):
            yield from self._read_log(row, path, kind)
        elif kind is Kind.CAPTURE:
            yield from self._read_capture(row, _map(path))
        else:
            yield from self._read_raw(row, _map(path), kind)

    def _read_raw(self, row: int, data: NDArray[np.uint8], kind: Kind) -> Iterator[FlowTable]:
        """Payloads without UDP around them: the sender and the time of arrival are unknown."""
        whole = np.array([data.size], np.int64)
        start = np.zeros(1, np.int64)
        if kind is Kind.RAW_SFLOW:
            yield self._sflow.decode(data, self._datagrams(row, start, whole))
            return
        if data.size <= captures.BATCH_BYTES:
            yield self._exports.decode(data, self._datagrams(row, start, whole))
            return
        index = export_messages.index_messages(data, start, whole)
        ends = np.append(index.offset[1:], data.size)
        part = 0
        while part < len(ends):
            stop = int(np.searchsorted(ends, index.offset[part] + captures.BATCH_BYTES, "right"))
            stop = max(stop, part + 1)
            offset = index.offset[part:stop]
            yield self._exports.decode(data, self._datagrams(row, offset, ends[part:stop] - offset))
            part = stop

    def _datagrams(
        self, row: int, offset: NDArray[np.int64], length: NDArray[np.int64]
    ) -> Datagrams:
        count = len(offset)
        unknown = self._book.address(0, 0)
        return Datagrams(
            offset=offset,
            length=length,
            address=np.full(count, unknown, np.uint32),
            file=np.full(count, row, np.uint32),
            place=offset,
            capture_ms=np.full(count, -1, np.int64),
        )

    def _read_capture(self, row: int, data: NDArray[np.uint8]) -> Iterator[FlowTable]:
        walk = pcap.start_walk(data)
        exports: bool | None = None
        traffic: captures.TrafficReader | None = None
        pieces = captures.Reassembly()
        read = 0
        for batch in captures.read_batches(data, walk):
            if exports is None:
                exports = captures.holds_exports(batch)
            if exports or bool(batch.exports.any()):
                yield from self._exports_of(row, data, batch, pieces)
            if not exports:
                if traffic is None:
                    exporter = self._book.row(self._book.address(0, 0), row, "capture")
                    traffic = captures.TrafficReader(exporter, row, self._active_s)
                yield traffic.add(data, batch)
            read = _let_go(data, read, walk.position)
        if traffic is not None:
            yield traffic.finish()
        if walk.broken_at >= 0:
            self._problem(
                row,
                "capture breaks off inside a packet",
                "the packets before it were read; stop captures cleanly or copy the file again",
                offset=walk.broken_at,
                warning=True,
            )

    def _exports_of(
        self,
        row: int,
        data: NDArray[np.uint8],
        batch: captures.CaptureBatch,
        pieces: captures.Reassembly,
    ) -> Iterator[FlowTable]:
        addresses = self._addresses(batch)
        netflow, sflow = captures.export_datagrams(batch, row, addresses)
        if netflow.offset.size:
            yield self._exports.decode(data, netflow)
        if sflow.offset.size:
            yield self._sflow.decode(data, sflow)
        for place, whole in captures.reassembled(data, batch, pieces):
            yield from self._whole_datagram(row, batch, place, whole, addresses)

    def _whole_datagram(
        self,
        row: int,
        batch: captures.CaptureBatch,
        place: int,
        whole: bytes,
        addresses: NDArray[np.uint32],
    ) -> Iterator[FlowTable]:
        from lenswatch_kernels.export_payloads import OTHER, SFLOW, classify_payloads

        buffer = np.frombuffer(whole, np.uint8)
        start, size = np.zeros(1, np.int64), np.array([len(whole)], np.int64)
        kind = classify_payloads(buffer, start, size)[0]
        if kind == OTHER:
            return
        packet = batch.columns.packet[place]
        datagram = Datagrams(
            offset=start,
            length=size,
            address=addresses[place : place + 1],
            file=np.full(1, row, np.uint32),
            place=batch.index.offset[packet : packet + 1],
            capture_ms=np.maximum(batch.index.time_ns[packet : packet + 1] // 1_000_000, -1),
        )
        decoder = self._sflow if kind == SFLOW else self._exports
        yield decoder.decode(buffer, datagram)

    def _addresses(self, batch: captures.CaptureBatch) -> NDArray[np.uint32]:
        """Row of each sender of an export in the book."""
        rows = np.flatnonzero((batch.exports != 0) | (batch.columns.identification >= 0))
        result = np.zeros(len(batch.columns.packet), np.uint32)
        high, low = batch.columns.source_high[rows], batch.columns.source_low[rows]
        if not rows.size:
            return result
        # by halves: sorting pairs of numbers takes ten times as long
        highs, upper = np.unique(high, return_inverse=True)
        lows, lower = np.unique(low, return_inverse=True)
        both = upper.astype(np.int64) * len(lows) + lower
        pairs, inverse = np.unique(both, return_inverse=True)
        known = [
            self._book.address(int(highs[pair // len(lows)]), int(lows[pair % len(lows)]))
            for pair in pairs
        ]
        result[rows] = np.array(known, np.uint32)[inverse]
        return result

    def _read_log(self, row: int, path: Path, kind: Kind) -> Iterator[FlowTable]:
        protocol = "nfdump" if kind is Kind.NFDUMP_CSV else "zeek"
        exporter = self._book.row(self._book.address(0, 0), row, protocol)

        def bad_line(line: int, why: str) -> None:
            self._problem(row, why, "the line was left out; write the log again", line=line)

        for table in logs.read_log(path, kind, bad_line):
            yield _replaced(table, exporter=exporter, file=row)

    def _read_parquet(self, row: int, path: Path) -> Iterator[FlowTable]:
        try:
            for table, sources in parquet.read_tables(path, self._memory // 4):
                rows = np.array(
                    [
                        self._book.row(self._book.address(high, low), domain, protocol)
                        for high, low, domain, protocol in sources
                    ],
                    np.uint32,
                )
                exporter = rows[np.minimum(table.exporter, len(rows) - 1)]
                yield FlowTable(
                    **{
                        **{name: getattr(table, name) for name in DTYPES},
                        "exporter": exporter,
                        "file": np.full(len(table), row, np.uint32),
                    }
                )
        except parquet.NotFlows as error:
            self._problem(row, error.message, error.remedy)

    # -- problems ----------------------------------------------------------------------------

    def _problem(
        self,
        row: int,
        message: str,
        remedy: str,
        *,
        line: int | None = None,
        offset: int | None = None,
        warning: bool = False,
    ) -> None:
        self._problem_counts[row] += 1
        if self._problem_counts[row] > MOST_PROBLEMS_A_FILE:
            return
        self._problems.append(
            Problem(
                file=self._name(row),
                message=message,
                remedy=remedy,
                line=line,
                offset=offset,
                part="flows",
                warning=warning,
            )
        )

    def _name(self, row: int) -> str:
        path = self.files[row]
        try:
            return path.resolve().relative_to(self._root.resolve()).as_posix()
        except ValueError:
            return path.name

    def _take_breaks(self) -> None:
        breaks: list[Break] = [*self._exports.breaks, *self._sflow.breaks]
        self._exports.breaks.clear()
        self._sflow.breaks.clear()
        for item in breaks:
            self._problem(
                item.file,
                _BREAKS.get(item.status, "datagram that cannot be decoded"),
                "what came before the break was read; capture whole datagrams (snap length 0)",
                offset=item.place,
            )

    def _conclude(self) -> None:
        for row, count in sorted(self._problem_counts.items()):
            if count > MOST_PROBLEMS_A_FILE:
                self._problems.append(
                    Problem(
                        file=self._name(row),
                        message=sentence(
                            "{n} further problems in this file", n=count - MOST_PROBLEMS_A_FILE
                        ),
                        remedy="see the first ones",
                        part="flows",
                    )
                )
        if self.waiting_sets:
            self._problems.append(
                Problem(
                    file="flows",
                    message=sentence("{n} data sets never got their template", n=self.waiting_sets),
                    remedy="capture for longer than the exporter's template interval (often 10 to "
                    "30 minutes), or add the capture from before",
                    part="flows",
                )
            )


def _let_go(data: NDArray[np.uint8], start: int, stop: int) -> int:
    """Drop what was read of a mapped file from the process, ask for more; gives where to go on.

    Pages that were touched count as the process's own until somebody needs the memory: a day's
    file would fill it, and under a limit the process would end. What comes next is asked for a
    step ahead: the kernel by itself reads so little ahead of a mapping that a cold file waits.
    """
    stop -= stop % _LET_GO_BYTES
    mapped: Any = data.base
    while isinstance(mapped, memoryview):
        mapped = mapped.obj
    if stop > start and isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)
        _ask_for(mapped, stop + _LET_GO_BYTES)
    return max(start, stop)


def _ask_for(mapped: mmap.mmap, start: int) -> None:
    if start < len(mapped):
        mapped.madvise(mmap.MADV_WILLNEED, start, min(_LET_GO_BYTES, len(mapped) - start))


def _map(path: Path) -> NDArray[np.uint8]:
    with path.open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    for start in (0, _LET_GO_BYTES):
        _ask_for(mapped, start)
    return np.frombuffer(mapped, np.uint8)


def _replaced(table: FlowTable, *, exporter: int, file: int) -> FlowTable:
    columns = {name: getattr(table, name) for name in DTYPES}
    columns["exporter"] = np.full(len(table), exporter, np.uint32)
    columns["file"] = np.full(len(table), file, np.uint32)
    return FlowTable(**columns)
