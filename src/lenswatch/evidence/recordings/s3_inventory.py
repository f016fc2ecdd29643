"""S3 inventory: what a bucket really holds, with versions, locks and replication.

The newest manifest below the store is read (or the one that is named). CSV has no header: the
columns are in the manifest, the keys URL-encoded. ``LastModified`` is the upload's time and may be
younger than the footage: it bounds the begin as a file's modification time does.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    RetentionSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER, microseconds
from lenswatch.evidence.recordings.directory import CameraOfPath
from lenswatch.evidence.recordings.filenames import find_time
from lenswatch.evidence.recordings.files import MOVIES, PICTURES, WalkFaults, walk
from lenswatch.evidence.recordings.name_columns import NameColumn
from lenswatch.model import sentence
from lenswatch_kernels.name_times import last_places

__all__ = ["manifests", "origin", "read"]

_COLUMNS: Final = (
    "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate",
    "ReplicationStatus", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus",
)  # fmt: skip
_REPLICATED: Final = ("COMPLETED", "REPLICA", "REPLICATED")
_LARGEST_JSON: Final = 64 << 20
_BATCH: Final = 65_536
_CSV_BLOCK: Final = 16 << 20
"""Bytes that are parsed at once; no row is longer (a key has 1,024 bytes at most)."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_Columns = Mapping[str, pa.Array]


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the inventory files that the manifest names."""
    store = reading.store
    folder = store.folder(root)
    name = store.manifest or next(iter(reversed(manifests(folder))), "")
    described = store.described(name or "manifest.json")
    if not name:
        raise EvidenceError(
            "no manifest.json below the store", file=described, remedy="copy the inventory whole"
        )
    manifest = _json(folder / name, described)
    schema, files = manifest.get("fileSchema"), manifest.get("files")
    if not isinstance(schema, str) or not isinstance(files, list):
        raise EvidenceError(
            "no inventory manifest: fileSchema or files is missing",
            file=described,
            remedy="use the manifest.json that S3 wrote",
        )
    taken = _taken(manifest.get("creationTimestamp"))
    rules = _rules(reading, root)
    objects = _Objects(reading, taken, rules)
    for entry in files:
        key = entry.get("key") if isinstance(entry, dict) else None
        path = _data_file(folder, folder / name, str(key or ""))
        where = store.described(str(key or ""))
        if path is None:
            reading.problem(where, "the manifest names a file that is not here", "copy it too")
            continue
        objects.take(path, where, str(manifest.get("fileFormat", "CSV")).upper(), schema)
    objects.finish()


def manifests(folder: Path) -> list[str]:
    """Manifests below a folder, oldest first: S3 names their folders by the time."""
    faults = WalkFaults([])
    names = [f.relative for f in walk(folder, faults) if f.relative.endswith("manifest.json")]
    return sorted(names, key=lambda name: find_time(name.replace("-", "")).begin)


def origin(folder: Path, name: str) -> tuple[str, int]:
    """What a manifest is an inventory of (bucket and folder of its configuration), and when it was
    taken, microseconds UTC; NEVER where it does not say.
    """
    manifest = _json(folder / name, name)
    configuration = Path(name).parent.parent.as_posix()
    return f"{manifest.get('sourceBucket', '')}/{configuration}", _taken(
        manifest.get("creationTimestamp")
    )


def _json(path: Path, described: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise EvidenceError(
            sentence("cannot be opened ({why})", why=sentence(error.strerror or "I/O error")),
            file=described,
            remedy="check the index",
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise EvidenceError("not a JSON document", file=described, remedy="copy it again")
    return content


def _taken(value: Any) -> int:
    """``creationTimestamp``: milliseconds since 1970, as text."""
    text = str(value or "")
    return int(text) * 1000 if text.isdecimal() and len(text) < 16 else NEVER


def _data_file(folder: Path, manifest: Path, key: str) -> Path | None:
    """The data file of a key, wherever in the copy it was put."""
    parts = [part for part in key.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return None
    for start in (folder, manifest.parent, manifest.parent.parent):
        for first in range(len(parts)):
            path = start.joinpath(*parts[first:])
            if path.is_file() and not path.is_symlink():
                return path
    return None


def _rules(reading: StoreReading, root: Path) -> list[tuple[str, float, float]] | None:
    """Prefix, days, and days for old versions of each enabled rule; None without the file."""
    store = reading.store
    if not store.lifecycle:
        return None
    described = store.described(store.lifecycle)
    found = []
    for rule in _json(store.file(root, store.lifecycle), described).get("Rules", ()):
        if not isinstance(rule, dict) or rule.get("Status") != "Enabled":
            continue
        chosen = rule.get("Filter")
        if not isinstance(chosen, dict):
            chosen = {}
        if any(key not in ("Prefix",) for key in chosen):
            continue  # by tag or size: cannot be told from the inventory, so no promise
        prefix = str(chosen.get("Prefix", rule.get("Prefix", "")) or "")
        expiration, old = rule.get("Expiration"), rule.get("NoncurrentVersionExpiration")
        days = expiration.get("Days", math.inf) if isinstance(expiration, dict) else math.inf
        old_days = old.get("NoncurrentDays", math.inf) if isinstance(old, dict) else math.inf
        found.append((prefix, float(days), float(old_days)))
    return found


class _Objects:
    """Rows of the inventory as artefacts."""

    def __init__(
        self,
        reading: StoreReading,
        taken: int,
        rules: list[tuple[str, float, float]] | None,
    ) -> None:
        self._reading = reading
        self._taken = taken
        self._rules = rules
        self._camera_of = CameraOfPath(reading.store.cameras)
        self._limits: dict[str, float] = {}
        self._names: dict[int, str] = {}
        self._number = 0

    def take(self, path: Path, described: str, form: str, schema: str) -> None:
        """All rows of one data file."""
        source = self._reading.source(described)
        try:
            if form == "CSV":
                tables = _csv_batches(path, [name.strip() for name in schema.split(",")])
            elif form in ("PARQUET", "ORC"):
                tables = _arrow_batches(path, form)
            else:
                raise ValueError
            for table in tables:
                self._add(table, source)
        except (ValueError, OSError, EOFError, zlib.error, pa.ArrowException):
            self._reading.problem(
                described,
                sentence("cannot be read as {form}", form=form),
                "copy it again, whole and unchanged",
            )

    def _add(self, table: _Columns, source: int) -> None:
        """A batch of rows; the columns' names are those of the CSV form."""
        size = len(table["Key"])
        number = np.arange(self._number + 1, self._number + size + 1)
        self._number += size
        keys = NameColumn(table["Key"])
        slash = last_places(keys.text, keys.starts, keys.ends, ord("/"))
        dot = last_places(keys.text, keys.starts, keys.ends, ord("."))
        dot = np.where(dot > slash, dot, -1)
        endings = copy(keys)
        endings.starts = np.where(dot >= 0, dot + 1, keys.ends)
        kinds = endings.of_each(_kind_of)
        kept = (kinds >= 0) & ~_true(table, "IsDeleteMarker")
        if not kept.any():
            return
        old = ~_true(table, "IsLatest", absent=True)
        camera = self._cameras(keys)
        hold = np.zeros(size, np.int64)
        days, old_days = self._days(table["Key"], size)
        current = kept & ~old
        longest = np.full(int(camera.max()) + 1, -1.0)
        np.maximum.at(longest, camera[current], 24.0 * days[current])
        for code in np.flatnonzero(longest >= 0):
            name = self._names[int(code)]
            self._limits[name] = max(self._limits.get(name, 0.0), float(longest[code]))
        hold[old & np.isinf(old_days)] |= Hold.OLD_VERSION
        hold[_among(table, "ReplicationStatus", _REPLICATED)] |= Hold.REPLICATED
        until = _moments(table, "ObjectLockRetainUntilDate", size)
        now = np.iinfo(np.int64).min if self._taken == NEVER else self._taken
        locked = (until != NEVER) & (until > now)
        locked |= _among(table, "ObjectLockLegalHoldStatus", ("ON",))
        hold[locked] |= Hold.LOCKED
        times = keys.times(np.where(dot >= 0, dot, keys.ends))
        movie = kinds == int(Kind.RECORDING)
        length = np.where(times.end != NEVER, times.end - times.begin, -1)
        self._reading.add_columns(
            int(kept.sum()),
            camera=camera[kept],
            kind=kinds[kept],
            source=source,
            row=number[kept],
            local=times.begin[kept],
            local_high=times.last[kept],
            offset=times.offset[kept],
            modified=_moments(table, "LastModifiedDate", size)[kept],
            duration=np.where(movie, length, 0)[kept],
            size=_sizes(table, size)[kept],
            hold=hold[kept],
        )

    def _cameras(self, keys: NameColumn) -> Ints:
        """Camera of each key: by its folder, and where that does not tell by its name."""

        def index(name: str) -> int:
            code = self._reading.camera(name)
            self._names[code] = name
            return code

        def of_folder(folder: str) -> int:
            camera = self._camera_of.of_folder(folder)
            return -1 if camera is None else index(camera)

        cameras = keys.by_folder(of_folder)
        for row in np.flatnonzero(cameras < 0):
            cameras[row] = index(self._camera_of(keys.name(int(row))))
        return cameras

    def _days(self, keys: pa.Array, size: int) -> tuple[Floats, Floats]:
        """Days that the rules give each key, and its old versions; the shortest wins."""
        days, old_days = np.full(size, np.inf), np.full(size, np.inf)
        for prefix, rule_days, rule_old in self._rules or ():
            under = np.asarray(pc.starts_with(keys, prefix))
            days[under] = np.minimum(days[under], rule_days)
            old_days[under] = np.minimum(old_days[under], rule_old)
        return days, old_days

    def finish(self) -> None:
        """Settings: what the lifecycle rules promise each camera."""
        if self._rules is None:
            return
        described = self._reading.store.described(self._reading.store.lifecycle)
        for camera, hours in self._limits.items():
            self._reading.settings.append(
                RetentionSetting(
                    hours, described, camera=camera, kinds=(Kind.RECORDING, Kind.SNAPSHOT),
                    note="S3 expires within two days of the limit",
                )
            )  # fmt: skip


def _kind_of(ending: str) -> int:
    """What a file of this ending is; -1 for no footage."""
    ending = ending.lower()
    if ending in MOVIES:
        return int(Kind.RECORDING)
    return int(Kind.SNAPSHOT) if ending in PICTURES else -1


def _csv_batches(path: Path, names: list[str]) -> Iterator[_Columns]:
    """Batches of an inventory without header; keys are URL-encoded."""
    from pyarrow import csv

    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    wanted = [name for name in names if name in _COLUMNS]
    with pa.input_stream(str(path), compression="gzip" if packed else None) as stream:
        try:
            reader = csv.open_csv(
                stream,
                csv.ReadOptions(column_names=names, block_size=_CSV_BLOCK, use_threads=False),
                csv.ParseOptions(newlines_in_values=False),
                csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(names, pa.large_binary()),
                    check_utf8=False,
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise
        for batch in reader:
            columns = {name: batch.column(name) for name in wanted}
            columns["Key"] = _unquoted(columns["Key"])
            yield columns


def _unquoted(keys: pa.Array) -> pa.Array:
    text = np.frombuffer(keys.buffers()[2] or b"", np.uint8)
    if not np.isin(text, (ord("%"), ord("+"))).any():
        return keys
    return pa.array(
        [
            unquote_plus(key.decode("latin-1"), "latin-1").encode("latin-1")
            for key in keys.to_pylist()
        ],
        pa.large_binary(),
    )


def _arrow_batches(path: Path, form: str) -> Iterator[_Columns]:
    """Parquet and ORC name the columns ``last_modified_date`` for ``LastModifiedDate``."""

    def plain(name: str) -> str:
        return name.replace("_", "").lower()

    wanted = {plain(name): name for name in _COLUMNS}
    if form == "PARQUET":
        from pyarrow import parquet

        file = parquet.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if plain(name) in wanted]
        batches = file.iter_batches(batch_size=_BATCH, columns=names)
    else:
        from pyarrow import orc

        stripes = orc.ORCFile(path)
        names = [name for name in stripes.schema.names if plain(name) in wanted]
        batches = (stripes.read_stripe(i, columns=names) for i in range(stripes.nstripes))
    if "key" not in map(plain, names):
        raise ValueError("no key")
    for batch in batches:
        columns = {wanted[plain(name)]: batch.column(name) for name in names}
        columns["Key"] = columns["Key"].cast(pa.large_binary())
        yield columns


def _words(column: pa.Array) -> pa.Array:
    """A column as text in capitals; bytes that are no text become nulls, as absent cells are."""
    if pa.types.is_large_binary(column.type) or pa.types.is_binary(column.type):
        try:
            column = column.cast(pa.large_string())
        except pa.ArrowInvalid:
            column = pa.array(
                [None if v is None or not v.isascii() else v.decode() for v in column.to_pylist()],
                pa.large_string(),
            )
    return pc.utf8_upper(column.cast(pa.large_string()))


def _among(table: _Columns, name: str, values: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Rows whose cell is one of these words, whatever the case."""
    if name not in table:
        return np.zeros(len(table["Key"]), np.bool_)
    found = pc.is_in(_words(table[name]), pa.array(values, pa.large_string()))
    return np.asarray(found, np.bool_)


def _true(table: _Columns, name: str, *, absent: bool = False) -> npt.NDArray[np.bool_]:
    """Rows that say true; with ``absent`` all that do not say false."""
    return ~_among(table, name, ("FALSE",)) if absent else _among(table, name, ("TRUE",))


def _sizes(table: _Columns, size: int) -> Ints:
    """Bytes; -1 where they are not said, as for a delete marker."""
    if "Size" not in table:
        return np.full(size, -1, np.int64)
    column = table["Size"]
    if not pa.types.is_integer(column.type):
        words = _words(column)
        plain = pc.match_substring_regex(words, "^[0-9]{1,18}$").fill_null(False)
        column = pc.if_else(plain, words, None).cast(pa.int64())
    return np.asarray(column.cast(pa.int64()).fill_null(-1), np.int64)


def _moments(table: _Columns, name: str, size: int) -> Ints:
    """Microseconds since 1970; NEVER where a cell is no time."""
    if name not in table:
        return np.full(size, NEVER, np.int64)
    column = table[name]
    if pa.types.is_timestamp(column.type):
        exact = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return np.asarray(exact.cast(pa.int64()).fill_null(NEVER), np.int64)
    if pa.types.is_integer(column.type):  # milliseconds
        return np.asarray(column.cast(pa.int64()).fill_null(NEVER // 1000 - 1), np.int64) * 1000
    words = _words(column)
    utc = pc.match_substring_regex(words, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
    if bool(
        pc.all(pc.or_kleene(utc.fill_null(False), pc.equal(words, "").fill_null(True))).as_py()
    ):
        try:
            cut = pc.if_else(utc.fill_null(False), pc.utf8_slice_codeunits(words, 0, -1), None)
            stamps = np.array(cut.to_pylist(), "datetime64[us]")
        except ValueError:
            pass  # a thirteenth month
        else:
            return np.where(np.isnat(stamps), NEVER, stamps.astype(np.int64))
    return np.array([_moment(value) for value in words.to_pylist()], np.int64)


def _moment(value: str | None) -> int:
    if not value:
        return NEVER
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return NEVER
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return microseconds(aware.astimezone(UTC))
