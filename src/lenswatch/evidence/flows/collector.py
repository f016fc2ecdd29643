"""``lenswatch collect``: exports from a socket into rotating Parquet files.

One thread takes datagrams off the socket and does nothing else; the caller's thread decodes and
writes. Between them stands a queue with a bound: when writing falls behind, the socket's own buffer
fills, and the system counts what it drops, so that no loss goes uncounted.

A file appears under its name when it is complete. What a crash leaves unfinished has another name
and is removed at the next start: a record is in one finished file or in none. Templates survive a
restart in ``collector-state.json``, so that exporters need not be waited for.
"""

from __future__ import annotations

import json
import os
import queue
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch.errors import EvidenceError
from lenswatch.evidence.flows.export_state import Datagrams
from lenswatch.evidence.flows.exporters import ExporterBook, Loss, address_halves, sequence_unit
from lenswatch.evidence.flows.exports import ExportDecoder
from lenswatch.evidence.flows.parquet import METADATA_KEY
from lenswatch.evidence.flows.receiver import Received, Receiver, open_socket
from lenswatch.evidence.flows.sflow import SflowDecoder
from lenswatch.evidence.flows.table import FlowTable, concatenate
from lenswatch.evidence.flows.templates import Field, Template
from lenswatch_kernels.export_payloads import OTHER, SFLOW, classify_payloads

QUEUE_BATCHES = 256
"""Batches of up to 128 datagrams between the socket and the decoder."""
BUFFER_BYTES = 256 << 20
"""Socket buffer asked for; the system may give less (net.core.rmem_max)."""
STATE_FILE = "collector-state.json"
STATUS_FILE = "collector-status.json"
_DECODE_BYTES = 4 << 20
"""Payload bytes decoded at once."""


@dataclass(slots=True)
class Status:
    """What the collector did so far; written beside the files at every rotation."""

    datagrams: int = 0
    octets: int = 0
    records: int = 0
    unknown_datagrams: int = 0
    """Datagrams that are no flow export."""
    dropped_datagrams: int = 0
    """Dropped by the system because the socket's buffer was full: exact."""
    queue_full_waits: int = 0
    """Times the receiving thread had to wait for the decoder: back-pressure."""
    queue_high_water: int = 0
    files: int = 0
    socket_buffer_bytes: int = 0
    exporters: list[dict[str, Any]] = field(default_factory=list)


def _load_kernels() -> None:
    """Decode one message before anybody can send one.

    Loading compiled code takes seconds on a busy machine and keeps the receiving thread waiting:
    meanwhile the socket's buffer would run over.
    """
    import pyarrow.parquet  # noqa: F401

    fields = struct.pack(">HHHHHHHH", 8, 4, 1, 4, 22, 4, 21, 4)
    sets = (
        struct.pack(">HHHH", 0, 24, 256, 4) + fields + struct.pack(">HHIIII", 256, 20, 1, 2, 3, 4)
    )
    message = struct.pack(">HHIIII", 9, 2, 5, 1_000_000_000, 1, 1) + sets
    buffer = np.frombuffer(bytearray(message), np.uint8)  # writable, as those of the socket are
    whole, nothing = np.array([len(message)], np.int64), np.zeros(1, np.int64)
    classify_payloads(buffer, nothing, whole)
    book = ExporterBook()
    address = np.array([book.address(0, 0)], np.uint32)
    datagrams = Datagrams(nothing, whole, address, nothing.astype(np.uint32), nothing, nothing)
    book.note(ExportDecoder(book).decode(buffer, datagrams))
    SflowDecoder(book).decode(buffer, datagrams)


class Collector:
    """Collects until `stop` is called or ``duration_s`` is over."""

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        *,
        rotate_s: float = 60.0,
        buffer_bytes: int = BUFFER_BYTES,
        on_rotate: Callable[[Path], None] | None = None,
    ) -> None:
        if rotate_s <= 0:
            raise ValueError("rotate_s must be positive")
        self._folder = folder
        self._rotate_s = rotate_s
        self._on_rotate = on_rotate
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".collected-*.partial"):
            leftover.unlink(missing_ok=True)
        _load_kernels()
        self._socket = open_socket(host, port, buffer_bytes)
        self.port: int = self._socket.getsockname()[1]
        self._receiver = Receiver(self._socket)
        self.status = Status(socket_buffer_bytes=self._receiver.buffer_bytes)
        self._queue: queue.Queue[tuple[Received, int]] = queue.Queue(QUEUE_BATCHES)
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._failure: OSError | None = None
        self._book = ExporterBook()
        self._exports = ExportDecoder(self._book)
        self._sflow = SflowDecoder(self._book)
        self._addresses: dict[tuple[int, int], int] = {}
        self._tables: list[FlowTable] = []
        self._rows = 0
        self._writer: Any = None
        self._partial: Path | None = None
        self._name = ""
        self._load_state()

    def stop(self) -> None:
        """Take what is in the socket's buffer, write it, end. Safe in a signal handler."""
        self._stopping.set()

    def run(self, duration_s: float | None = None) -> Status:
        """Collect; returns when stopped, with everything received written."""
        thread = threading.Thread(target=self._receive, name="lenswatch-receiver", daemon=True)
        began = time.monotonic()
        rotated = began
        thread.start()
        try:
            while True:
                if duration_s is not None and time.monotonic() - began >= duration_s:
                    self._stopping.set()
                waiting = self._take()
                if waiting:
                    self._decode(waiting)
                elif self._drained.is_set() and self._queue.empty():
                    break
                if time.monotonic() - rotated >= self._rotate_s:
                    self._rotate()
                    rotated = time.monotonic()
        finally:
            self._stopping.set()
            thread.join()
            self.status.dropped_datagrams = self._receiver.dropped_finally()
            self._rotate()
            self._socket.close()
        if self._failure is not None:
            raise EvidenceError(
                f"the socket failed: {self._failure.strerror}",
                file=str(self._folder),
                remedy="what came before is written; start the collector again",
            )
        return self.status

    # -- the receiving thread ----------------------------------------------------------------

    def _receive(self) -> None:
        try:
            while not self._stopping.is_set():
                taken = self._receiver.receive()
                if taken is not None:
                    self._hand_over(taken)
            while (taken := self._receiver.receive(wait=False)) is not None:
                self._hand_over(taken)
        except OSError as error:
            self._failure = error
            self._stopping.set()
        finally:
            self._drained.set()

    def _hand_over(self, taken: Received) -> None:
        item = (taken, time.time_ns() // 1_000_000)
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.status.queue_full_waits += 1
            self._queue.put(item)

    # -- the deciding thread -----------------------------------------------------------------

    def _take(self) -> list[tuple[Received, int]]:
        """Batches that wait, as many as are decoded at once."""
        batches: list[tuple[Received, int]] = []
        size = 0
        try:
            first = self._queue.get(timeout=0.1)
            batches.append(first)
            size += first[0].buffer.size
            self.status.queue_high_water = max(
                self.status.queue_high_water, self._queue.qsize() + 1
            )
            while size < _DECODE_BYTES:
                item = self._queue.get_nowait()
                batches.append(item)
                size += item[0].buffer.size
        except queue.Empty:
            pass
        return batches

    def _decode(self, batches: list[tuple[Received, int]]) -> None:
        buffer = np.concatenate([taken.buffer for taken, _ in batches])
        length = np.concatenate([taken.length for taken, _ in batches])
        offset = np.cumsum(length) - length
        high = np.concatenate([taken.high for taken, _ in batches])
        low = np.concatenate([taken.low for taken, _ in batches])
        arrived = np.concatenate(
            [np.full(len(taken.length), at, np.int64) for taken, at in batches]
        )
        place = np.arange(len(length), dtype=np.int64) + self.status.datagrams
        self.status.datagrams += len(length)
        self.status.octets += int(length.sum())
        kinds = classify_payloads(buffer, offset, length)
        self.status.unknown_datagrams += int(np.count_nonzero(kinds == OTHER))
        address = self._address_rows(high, low)

        def pick(rows: NDArray[np.int64]) -> Datagrams:
            return Datagrams(
                offset[rows], length[rows], address[rows], np.zeros(len(rows), np.uint32),
                place[rows], arrived[rows],
            )  # fmt: skip

        netflow = np.flatnonzero((kinds != OTHER) & (kinds != SFLOW))
        sflow = np.flatnonzero(kinds == SFLOW)
        if netflow.size:
            self._add(self._exports.decode(buffer, pick(netflow)))
        if sflow.size:
            self._add(self._sflow.decode(buffer, pick(sflow)))
        self._exports.breaks.clear()
        self._sflow.breaks.clear()

    def _address_rows(
        self, high: NDArray[np.uint64], low: NDArray[np.uint64]
    ) -> NDArray[np.uint32]:
        rows = np.empty(len(low), np.uint32)
        for number, key in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
            known = self._addresses.get(key)
            if known is None:
                known = self._addresses[key] = self._book.address(*key)
            rows[number] = known
        return rows

    def _add(self, table: FlowTable) -> None:
        if not len(table):
            return
        self._book.note(table)
        self._tables.append(table)
        self._rows += len(table)
        self.status.records += len(table)
        if self._rows >= 1 << 18:
            self._write()

    def _write(self) -> None:
        """Append what is kept to the unfinished file."""
        import pyarrow.parquet as pq

        if not self._tables:
            return
        arrow = concatenate(self._tables).to_arrow()
        self._tables, self._rows = [], 0
        if self._writer is None:
            self._name = self._free_name()
            self._partial = self._folder / f".{self._name}.partial"
            self._writer = pq.ParquetWriter(
                self._partial, arrow.schema, compression="zstd", compression_level=1
            )
        self._writer.write_table(arrow)

    def _free_name(self) -> str:
        """A name no file has: a collector restarted within a second must not replace a file."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for number in range(1_000_000):
            name = f"collected-{stamp}-{number:06d}.parquet"
            if not (self._folder / name).exists():
                return name
        raise EvidenceError(
            "a million files in one second", file=str(self._folder), remedy="rotate less often"
        )

    def _rotate(self) -> None:
        """Finish the file, then the state that belongs to it."""
        self._write()
        if self._writer is not None and self._partial is not None:
            listed = [
                [self._book.text(address), domain, protocol]
                for address, domain, protocol in self._book.entries
            ]
            self._writer.add_key_value_metadata({METADATA_KEY.decode(): json.dumps(listed)})
            self._writer.close()
            with self._partial.open("rb") as stream:
                os.fsync(stream.fileno())
            final = self._folder / self._name
            self._partial.replace(final)
            self._writer = self._partial = None
            self.status.files += 1
            if self._on_rotate is not None:
                self._on_rotate(final)
        self.status.dropped_datagrams = max(self.status.dropped_datagrams, self._receiver.dropped)
        self._save(STATUS_FILE, {**asdict(self.status), "exporters": self._exporters()})
        self._save(STATE_FILE, self._templates())

    def _exporters(self) -> list[dict[str, Any]]:
        listed = []
        for session, state in zip(
            self._exports.sessions, self._exports.sequence_state, strict=False
        ):
            address, domain, protocol = self._book.entries[session.row]
            loss = Loss.of(protocol, session.most_records, state)
            listed.append(
                {
                    "address": self._book.text(address),
                    "observation_domain": domain,
                    "protocol": protocol,
                    "messages": session.messages,
                    "records": session.records,
                    "sequence_gaps": loss.gaps,
                    "sequence_unit": sequence_unit(protocol),
                    "lost_units": loss.units,
                    "lost_records_at_most": loss.records,
                    "follows_rfc_sequence": loss.follows_rfc,
                }
            )
        return listed

    # -- state over restarts -----------------------------------------------------------------

    def _templates(self) -> list[dict[str, Any]]:
        listed = []
        for session in self._exports.sessions:
            address, domain, _ = self._book.entries[session.row]
            known = [self._exports.template(plan) for plan in session.templates.values()]
            listed.append(
                {
                    "address": self._book.text(address),
                    "observation_domain": domain,
                    "version": session.version,
                    "templates": [
                        {
                            "id": item.id,
                            "options": item.options,
                            "fields": [
                                [part.enterprise, part.id, part.length, part.scope]
                                for part in item.fields
                            ],
                        }
                        for item in known
                    ],
                }
            )
        return listed

    def _load_state(self) -> None:
        """Templates of the last run; a state that makes no sense is left alone and not used."""
        try:
            listed = json.loads((self._folder / STATE_FILE).read_text("utf-8"))
            for entry in listed:
                address = entry["address"]
                halves = address_halves(address) if address else (0, 0)
                for item in entry["templates"]:
                    fields = tuple(
                        Field(int(pen), int(number), int(length), bool(scope))
                        for pen, number, length, scope in item["fields"]
                    )
                    self._exports.restore(
                        self._book.address(*halves),
                        int(entry["observation_domain"]),
                        Template(
                            int(item["id"]), int(entry["version"]), fields, bool(item["options"])
                        ),
                    )
        except (OSError, ValueError, KeyError, TypeError):
            return

    def _save(self, name: str, content: Any) -> None:
        path = self._folder / f".{name}.partial"
        path.write_text(json.dumps(content, indent=1), "utf-8")
        path.replace(self._folder / name)
