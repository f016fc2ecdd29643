"""S3 inventory: what a bucket really holds, with versions, locks and replication.

The newest manifest below the store is read (or the one that is named). CSV has no header: the
columns are in the manifest, the keys URL-encoded. ``LastModified`` is the upload's time and may be
younger than the footage: it bounds the begin as a file's modification time does.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus

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

__all__ = ["manifests", "origin", "read"]

_COLUMNS: Final = (
    "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate",
    "ReplicationStatus", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus",
)  # fmt: skip
_LARGEST_JSON: Final = 64 << 20


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
            f"cannot be opened ({error.strerror})", file=described, remedy="check the index"
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
        self._number = 0

    def take(self, path: Path, described: str, form: str, schema: str) -> None:
        """All rows of one data file."""
        source = self._reading.source(described)
        try:
            if form == "CSV":
                names = [name.strip() for name in schema.split(",")]
                rows = _csv_rows(path, names)
            elif form in ("PARQUET", "ORC"):
                rows = _arrow_rows(path, form)
            else:
                raise ValueError
            for row in rows:
                self._number += 1
                self._add(row, source)
        except (ValueError, OSError, EOFError, csv.Error, zlib.error):
            self._reading.problem(
                described, f"cannot be read as {form}", "copy it again, whole and unchanged"
            )

    def _add(self, row: Mapping[str, Any], source: int) -> None:
        if str(row.get("IsDeleteMarker", "")).lower() == "true":
            return
        key = str(row["Key"])
        name = key.rsplit("/", 1)[-1]
        stem, dot, ending = name.rpartition(".")
        ending = ending.lower() if dot else ""
        if ending not in MOVIES and ending not in PICTURES:
            return
        old = str(row.get("IsLatest", "true")).lower() == "false"
        camera = self._camera_of(key)
        days = old_days = math.inf
        for prefix, rule_days, rule_old in self._rules or ():
            if key.startswith(prefix):
                days, old_days = min(days, rule_days), min(old_days, rule_old)
        if not old:
            self._limits[camera] = max(self._limits.get(camera, 0.0), 24.0 * days)
        hold = Hold.OLD_VERSION if old and math.isinf(old_days) else Hold.NONE
        if str(row.get("ReplicationStatus") or "").upper() in (
            "COMPLETED",
            "REPLICA",
            "REPLICATED",
        ):
            hold |= Hold.REPLICATED
        until = _moment(row.get("ObjectLockRetainUntilDate"))
        legal = str(row.get("ObjectLockLegalHoldStatus") or "").upper() == "ON"
        if legal or (until != NEVER and (self._taken == NEVER or until > self._taken)):
            hold |= Hold.LOCKED
        movie = ending in MOVIES
        time = find_time(key[: len(key) - len(name)] + (stem if dot else name))
        size = str(row.get("Size") if row.get("Size") is not None else "")
        self._reading.add(
            self._reading.camera(camera),
            Kind.RECORDING if movie else Kind.SNAPSHOT,
            source,
            self._number,
            local=time.begin,
            local_high=time.last,
            offset=time.offset,
            modified=_moment(row.get("LastModifiedDate")),
            duration=(time.end - time.begin if time.end != NEVER else -1) if movie else 0,
            size=int(size) if size.isdecimal() else -1,
            hold=hold,
        )

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


def _csv_rows(path: Path, names: list[str]) -> Iterator[dict[str, str]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with contextlib.ExitStack() as stack:
        stream: Any = stack.enter_context(
            gzip.open(path) if packed else path.open("rb")  # noqa: SIM115
        )
        text = stack.enter_context(io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline=""))
        for row in csv.reader(text):
            if len(row) != len(names):
                raise ValueError("columns")
            found = {
                name: value for name, value in zip(names, row, strict=True) if name in _COLUMNS
            }
            found["Key"] = unquote_plus(found["Key"], errors="surrogateescape")
            yield found


def _arrow_rows(path: Path, form: str) -> Iterator[dict[str, Any]]:
    """Parquet and ORC name the columns ``last_modified_date`` for ``LastModifiedDate``."""
    import pyarrow as pa

    def plain(name: str) -> str:
        return name.replace("_", "").lower()

    wanted = {plain(name): name for name in _COLUMNS}
    try:
        if form == "PARQUET":
            from pyarrow import parquet

            file = parquet.ParquetFile(path)
            names = [name for name in file.schema_arrow.names if plain(name) in wanted]
            batches = file.iter_batches(batch_size=65_536, columns=names)
        else:
            from pyarrow import orc

            stripes = orc.ORCFile(path)
            names = [name for name in stripes.schema.names if plain(name) in wanted]
            batches = (stripes.read_stripe(i, columns=names) for i in range(stripes.nstripes))
        for batch in batches:
            for row in batch.to_pylist():
                yield {wanted[plain(name)]: value for name, value in row.items()}
    except pa.ArrowException:
        raise ValueError("damaged") from None


def _moment(value: Any) -> int:
    if isinstance(value, str) and value:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return NEVER
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return microseconds(aware.astimezone(UTC))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) * 1000  # milliseconds
    return NEVER
