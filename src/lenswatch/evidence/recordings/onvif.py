"""ONVIF Profile G: what a recorder says of its own recordings, live or as saved answers.

A dump is a file or a folder of XML: the answers to ``GetRecordingSummary``, ``GetRecordings``,
``GetRecordingSearchResults`` and Media2 ``GetMasks``, each as the device gave it (WSDL: ONVIF
Recording Search, Recording Control, Media2). Live, a device is asked only if the store's ``scope``
file names its address, and only for these; no recording is fetched.

``MaximumRetentionTime`` 0 means no limit. It does not bind what the device copies to external
targets (NFS, CIFS, FTP, object stores).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from lenswatch.errors import EvidenceError
from lenswatch.evidence.recordings.artefacts import (
    Kind,
    MaskSetting,
    Presence,
    RetentionSetting,
    SinkSetting,
    StoreReading,
)
from lenswatch.evidence.recordings.clocks import NEVER, microseconds

__all__ = ["parse_answer", "read"]

_LARGEST: Final = 64 << 20
_PERIOD = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_PERIOD_HOURS: Final = (8784.0, 744.0, 24.0, 1.0, 1 / 60, 1 / 3600)
_PRIVATE: Final = frozenset(("color", "pixelated", "blurred"))


def read(reading: StoreReading, root: Path) -> None:
    """Fill ``reading`` from saved answers, or by asking the devices of the scope file."""
    store = reading.store
    if store.scope:
        from lenswatch.evidence.recordings.onvif_live import ask

        answers = ask(reading, root)
    else:
        answers = _saved(reading, root)
    device = _Device(reading)
    for described, text in answers:
        try:
            element = parse_answer(text)
        except ValueError:
            reading.problem(described, "not an XML answer of a device", "save it again")
            continue
        device.take(element, described)
    device.finish()


def parse_answer(text: bytes) -> ET.Element:
    """Parse XML without a document type: no entities, so no bombs and no files of ours."""
    if len(text) > _LARGEST or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError("document type")
    try:
        return ET.fromstring(text)  # noqa: S314  (no document type, so nothing expands)
    except (ET.ParseError, RecursionError, LookupError) as error:
        raise ValueError("not XML") from error


def _saved(reading: StoreReading, root: Path) -> Iterator[tuple[str, bytes]]:
    store = reading.store
    place = store.file(root, store.dump or ".")
    files = [place] if place.is_file() else sorted(place.glob("*.xml")) if place.is_dir() else []
    files = [file for file in files if file.is_file() and not file.is_symlink()]
    if not files:
        raise EvidenceError(
            "no saved answer here",
            file=store.described(store.dump),
            remedy="save the device's answers as .xml, or name them under dump",
        )
    for file in files:
        if file.stat().st_size > _LARGEST:
            reading.problem(store.described(file.name), "larger than 64 MiB", "look what it is")
            continue
        name = store.dump if place.is_file() else f"{store.dump}/{file.name}".lstrip("/")
        yield store.described(name), file.read_bytes()


def _local(element: ET.Element) -> str:
    """Name without its namespace: devices differ in version and prefix."""
    return element.tag.rsplit("}", 1)[-1]


def _find(element: ET.Element, *names: str) -> ET.Element | None:
    """First descendant of this name, step by step."""
    found: ET.Element | None = element
    for name in names:
        found = next(
            (e for e in (found.iter() if found is not None else ()) if _local(e) == name), None
        )
    return found


def _text(element: ET.Element | None, *names: str) -> str:
    found = _find(element, *names) if element is not None else None
    return (found.text or "").strip() if found is not None else ""


def _time(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return NEVER
    return microseconds((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC))


def _hours(text: str) -> float:
    """An xs:duration in hours, NaN for anything else."""
    match = _PERIOD.fullmatch(text)
    if match is None or not any(match.groups()):
        return math.nan
    return sum(float(part or 0) * h for part, h in zip(match.groups(), _PERIOD_HOURS, strict=True))


class _Device:
    """Puts together the answers of one device."""

    def __init__(self, reading: StoreReading) -> None:
        self._reading = reading
        self._names: dict[str, str] = {}
        self._spans: dict[str, tuple[int, int, str]] = {}
        self._summary: tuple[int, int, int, str] | None = None

    def take(self, element: ET.Element, described: str) -> None:
        """One answer; a SOAP envelope or its body."""
        for part in element.iter():
            name = _local(part)
            if name == "Summary":
                number = _text(part, "NumberRecordings")
                self._summary = (
                    _time(_text(part, "DataFrom")), _time(_text(part, "DataUntil")),
                    int(number) if number.isdecimal() else -1, described,
                )  # fmt: skip
            elif name == "RecordingInformation" and _find(part, "RecordingToken") is not None:
                self._information(part, described)
            elif name in ("RecordingItem", "GetRecordingsResponseItem"):
                self._configuration(part, described)
            elif name == "Masks":
                self._mask(part, described)
            elif name == "Fault":
                self._reading.problem(
                    described, "the device answered with a fault", "check the account's rights"
                )

    def _name(self, token: str, source: str) -> str:
        """By token where the index maps it, else by the source's name."""
        known = token if token in self._reading.store.cameras or not source else source
        return self._names.setdefault(token, known)

    def _information(self, part: ET.Element, described: str) -> None:
        token = _text(part, "RecordingToken")
        self._name(token, _text(part, "Source", "Name"))
        begin, end = _time(_text(part, "EarliestRecording")), _time(_text(part, "LatestRecording"))
        starts = [_time(_text(t, "DataFrom")) for t in part.iter() if _local(t) == "Track"]
        begin = min([t for t in (begin, *starts) if t != NEVER], default=NEVER)
        if begin != NEVER:
            self._spans[token] = (begin, end, described)

    def _configuration(self, part: ET.Element, described: str) -> None:
        token = _text(part, "RecordingToken")
        name = self._name(token, _text(part, "Source", "Name"))
        self._reading.rules_read = True
        text = _text(part, "MaximumRetentionTime")
        if text:
            hours = _hours(text)
            self._reading.settings.append(
                RetentionSetting(
                    math.inf if hours == 0 else hours, described, camera=name,
                    note="MaximumRetentionTime 0: no limit" if hours == 0 else "",
                )
            )  # fmt: skip
        target = _find(part, "Target")
        if target is not None and _text(target, "Name"):
            self._reading.sinks.append(
                SinkSetting(
                    "external target", True, described, camera=name,
                    note="the retention time does not bind it",
                )
            )  # fmt: skip

    def _mask(self, part: ET.Element, described: str) -> None:
        kind = _text(part, "Type").lower()
        if _text(part, "Enabled").lower() != "true":
            return
        self._reading.masks.append(
            MaskSetting(
                self._names.get(
                    _text(part, "ConfigurationToken"), _text(part, "ConfigurationToken")
                ),
                private=kind in _PRIVATE,
                file=described,
                note=f"mask of type {kind}" if kind in _PRIVATE else "mask of an unknown type",
            )
        )

    def finish(self) -> None:
        """Recordings as artefacts; the summary alone where the device gave no more."""
        reading = self._reading
        for number, (token, (begin, end, described)) in enumerate(sorted(self._spans.items())):
            self._add(self._names[token], number, begin, end, described)
        if not self._spans and self._summary is not None:
            begin, end, number, described = self._summary
            if begin == NEVER:
                reading.problem(
                    described,
                    "the summary holds no time" if number else "the device holds no recording",
                    "ask it for GetRecordingSummary again",
                )
                return
            only = next(iter(reading.store.cameras), "") if len(reading.store.cameras) == 1 else ""
            self._add(only, 0, begin, end, described)
        elif not self._spans:
            reading.problem(
                reading.store.described(reading.store.dump),
                "no answer tells of a recording",
                "save GetRecordingSummary or GetRecordingSearchResults",
            )

    def _add(self, name: str, number: int, begin: int, end: int, described: str) -> None:
        self._reading.add(
            self._reading.camera(name), Kind.RECORDING, self._reading.source(described), number,
            begin=begin, duration=end - begin if end >= begin else -1,
            presence=Presence.ROW_UNCHECKED,
        )  # fmt: skip
