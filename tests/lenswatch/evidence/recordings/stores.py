"""Builders of stores and a reader of all their rows, for the tests of the readers."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from lenswatch.evidence.recordings.artefacts import Artefacts, Hold, Kind, Presence, StoreReading
from lenswatch.evidence.recordings.index import StoreDeclaration
from lenswatch.evidence.recordings.systems import read_store

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass
class Table:
    """All rows of a reading, as Python objects."""

    reading: StoreReading
    rows: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: Kind) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["kind"] == kind]

    def count(self, column: str) -> Counter[Any]:
        return Counter(row[column] for row in self.rows)

    @property
    def messages(self) -> list[str]:
        return [f"{p.file}: {p.message}" for p in self.reading.problems]


def read_all(root: Path, system: str, **keys: Any) -> Table:
    """Read the store at ``root/recordings/s``."""
    batches: list[Artefacts] = []
    store = StoreDeclaration(
        id="s", system=system, **{"path": "s", "timezone": "Europe/Berlin", **keys}
    )
    reading = read_store(store, root=root, emit=lambda _reading, batch: batches.append(batch))
    table = Table(reading)
    names = list(reading.names)
    for batch in batches:
        for i in range(len(batch)):
            table.rows.append(
                {
                    "camera": names[batch.camera[i]],
                    "kind": Kind(batch.kind[i]),
                    "begin": moment(batch.begin[i]),
                    "low": moment(batch.low[i]),
                    "high": moment(batch.high[i]),
                    "seconds": (int(batch.end[i]) - int(batch.begin[i])) / 1e6,
                    "size": int(batch.size[i]),
                    "hold": Hold(int(batch.hold[i])),
                    "presence": Presence(batch.presence[i]),
                    "clock": int(batch.clock[i]),
                    "row": int(batch.row[i]),
                }
            )
    return table


def moment(value: np.int64) -> datetime | None:
    if value == -(2**63):
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(value))


def mp4(created: datetime | None, seconds: float = 10.0, *, version: int = 0) -> bytes:
    """A minimal MP4: ftyp, moov with mvhd, mdat with nothing that is a picture."""
    stamp = 0
    if created is not None:
        stamp = int((created - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
    form = ">QQIQ" if version else ">IIII"
    times = struct.pack(form, stamp, stamp, 1000, int(seconds * 1000))
    header = bytes([version, 0, 0, 0]) + times + bytes(80)
    return box("ftyp", b"isom\0\0\0\0") + box("moov", box("mvhd", header)) + box("mdat", bytes(64))


def box(name: str, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name.encode()) + content


def put(path: Path, content: bytes = b"", *, modified: datetime | None = None) -> Path:
    """Write a file, with a modification time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if modified is not None:
        os.utime(path, (modified.timestamp(), modified.timestamp()))
    return path


def state(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Name, digest, size and modification time of everything below a folder."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.lstat().st_size if path.is_file() else 0,
            path.lstat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
    }


def database(path: Path, script: str, **rows: list[tuple[Any, ...]]) -> None:
    """A SQLite file from a schema and rows per table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(script)
    for table, values in rows.items():
        for value in values:
            marks = ", ".join("?" * len(value))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", value)
    connection.commit()
    connection.close()
