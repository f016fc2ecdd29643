"""Milestone and Genetec: a report with one row a camera, as CSV or JSON.

Milestone's comes from ``Get-VmsCameraReport -IncludeRetentionInfo`` (MilestonePSTools). An evidence
lock keeps single sequences and makes the whole camera look older: such rows are held, not hidden.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.artefacts import (
    Hold,
    Kind,
    Presence,
    RetentionSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER, SECOND, microseconds
from lenswatch.evidence.recordings.filenames import find_time

__all__ = ["read"]

_LARGEST: Final = 512 << 20
_MEANINGS: Final = {
    "camera": ("camera", "cameraname", "name", "entity", "entityname", "device"),
    "begin": ("mediadatabasebegin", "oldestvideo", "oldestrecording", "firstrecording",
              "earliestrecording", "begin", "from", "start", "oldest", "datafrom"),
    "end": ("mediadatabaseend", "newestvideo", "latestrecording", "lastrecording", "end", "to",
            "newest", "datauntil"),
    "expected": ("expectedretention", "configuredretention", "expectedretentiondays",
                 "configuredretentiondays", "retentiondays", "retentionperiod", "retention"),
    "actual": ("actualretention", "actualretentiondays", "actualrecordingdays"),
    "size": ("usedspaceinbytes", "sizebytes", "bytes"),
    "gigabytes": ("usedspaceingb", "usedspacegb", "sizegb"),
    "locked": ("evidencelock", "evidencelocks", "evidencelockcount", "protected", "videoprotection",
               "protectedvideo"),
}  # fmt: skip
_SPAN = re.compile(r"^(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?$")


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from the report: ``dump``, else the only CSV or JSON file of the store."""
    store = reading.store
    name = store.dump or _only_report(store.folder(root))
    described = store.described(name)
    path = store.file(root, name)
    if not name or not path.is_file():
        raise EvidenceError(
            "no report here, or more than one", file=described, remedy="name it under dump"
        )
    source = reading.source(described)
    rows = 0
    for line, row in _rows(path, described):
        rows += 1
        _add(reading, row, line, source, described)
    if rows == 0:
        reading.problem(described, "the report is empty", "export it again")
    elif not reading.names:
        reading.problem(described, "the report names no camera", "export it again")


def _only_report(folder: Path) -> str:
    try:
        names = [
            entry.name
            for entry in folder.iterdir()
            if entry.suffix.lower() in (".csv", ".json") and entry.is_file()
        ]
    except OSError:
        return ""
    return names[0] if len(names) == 1 else ""


def _rows(path: Path, described: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if path.stat().st_size > _LARGEST:
        raise EvidenceError("larger than 512 MiB", file=described, remedy="split it by recorder")
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = raw.decode(encoding, "replace")
    if text.lstrip()[:1] in ("[", "{"):
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            raise EvidenceError(
                "not valid JSON", file=described, remedy="export it again"
            ) from None
        items = content if isinstance(content, list) else [content]
        for number, item in enumerate(items, 1):
            if isinstance(item, dict):
                yield number, {_plain(str(key)): value for key, value in item.items()}
        return
    lines = text.splitlines()
    if lines and lines[0].startswith("#TYPE"):  # PowerShell's Export-Csv before version 6
        text = text.split("\n", 1)[1] if "\n" in text else ""
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    try:
        for number, record in enumerate(csv.DictReader(io.StringIO(text), delimiter=delimiter), 2):
            yield number, {_plain(str(key)): value for key, value in record.items() if key}
    except csv.Error:
        raise EvidenceError("not valid CSV", file=described, remedy="export it again") from None


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _pick(row: Mapping[str, Any], meaning: str) -> Any:
    for name in _MEANINGS[meaning]:
        value = row.get(name)
        if value not in (None, ""):
            return value
    return None


def _add(
    reading: StoreReading, row: Mapping[str, Any], line: int, source: int, described: str
) -> None:
    camera = _pick(row, "camera")
    if camera is None:
        reading.problem(
            described, "a row without a camera name", "add a column Camera or Name", line=line
        )
        return
    expected = _hours(_pick(row, "expected"))
    if expected is not None:
        reading.settings.append(
            RetentionSetting(expected, described, camera=str(camera), line=line)
        )
    index = reading.camera(str(camera))
    begin, begin_is_utc = _time(_pick(row, "begin"))
    end, end_is_utc = _time(_pick(row, "end"))
    actual = _hours(_pick(row, "actual"))
    if begin == NEVER and end != NEVER and actual is not None and math.isfinite(actual):
        begin, begin_is_utc = end - round(actual * 3600) * SECOND, end_is_utc
    if begin == NEVER:
        if end != NEVER or actual:
            reading.problem(
                described,
                "a row without a begin that can be read",
                "export the begin of the media database, as ISO 8601",
                line=line,
            )
        return
    length = end - begin if end != NEVER and begin_is_utc == end_is_utc and end >= begin else -1
    locked = _pick(row, "locked")
    held = str(locked).lower() not in ("none", "0", "false", "no")
    reading.add(
        index, Kind.RECORDING, source, line, local=begin, local_is_row=True, duration=length,
        offset=0 if begin_is_utc else NEVER, size=_size(row),
        hold=Hold.LOCKED if held else Hold.NONE, presence=Presence.ROW_UNCHECKED,
    )  # fmt: skip


def _size(row: Mapping[str, Any]) -> int:
    for meaning, factor in (("size", 1.0), ("gigabytes", 2.0**30)):
        try:
            return round(float(str(_pick(row, meaning))) * factor)
        except (ValueError, OverflowError):
            continue
    return -1


def _time(value: Any) -> tuple[int, bool]:
    """Microseconds, and whether they are UTC; ISO 8601, or PowerShell's ``/Date(...)/``."""
    text = str(value or "").strip()
    ticks = re.fullmatch(r"/Date\((\d{1,14})\)/", text)
    if ticks:
        return int(ticks.group(1)) * 1000, True
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        found = find_time(text)
        return found.begin, found.offset == 0
    if moment.tzinfo is not None:
        return microseconds(moment.astimezone(UTC)), True
    return microseconds(moment.replace(tzinfo=UTC)), False


def _hours(value: Any) -> float | None:
    """A retention: days as a number, or a .NET time span ``30.00:00:00``."""
    if isinstance(value, dict):  # a time span as ConvertTo-Json writes it
        value = value.get("TotalDays")
    if value is None or isinstance(value, bool):
        return None
    span = _SPAN.match(str(value).strip())
    if span:
        days, hour, minute, _ = (int(part or 0) for part in span.groups())
        return 24.0 * days + hour + minute / 60
    try:
        return 24.0 * float(str(value).lower().removesuffix("days").removesuffix("day").strip())
    except ValueError:
        return math.nan
