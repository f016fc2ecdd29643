"""Where the findings of an audit stand in every order, and which filters each of them passes.

An index of the database serves one order or one filter; for a page of "failed, of this vendor, in
this district, by subject" it walks past a million rows. Here every order has its columns of small
codes, one after the other: comparing a million of them takes a millisecond, and what a page costs
does not depend on how filters and order are combined.

``findings.bin`` holds, for each order of :class:`Order`, the columns of :data:`_FILTERS` and then
the positions (uint32), little-endian. ``findings.json`` says what the codes stand for. Both are
made from the database when an audit ends, and again by the first reader where they are missing.
The columns are mapped into memory, about 40 bytes a finding: pages of the file that the
system may take back, not memory of the service.
"""

from __future__ import annotations

import json
import mmap
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from lenswatch.model import Verdict
from lenswatch_api.audits.results import SEVERITIES
from lenswatch_api.tables import FINDINGS, Audit

_VERSION = 1
_FILTERS = ("verdict", "severity", "control", "district", "vendor")
_FIRST_PIECE = 16_384
_LARGEST_PIECE = 1_048_576
"""Rows looked at in one go: few at first, because most pages are full soon."""
_OPEN = 64
"""Audits that the service keeps open."""

Codes = NDArray[np.unsignedinteger[Any]]


class Order(StrEnum):
    """How findings are sorted."""

    CONTROL = "control"
    SEVERITY = "severity"
    SUBJECT = "subject"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True)
class FindingsIndex:
    """The index of one audit."""

    columns: Mapping[tuple[Order, str], Codes]
    """Of each order, the codes of each filter and the ``position``."""
    findings: int
    names: Mapping[str, Mapping[str, int]]
    """Of each filter, what its codes stand for."""
    counts: tuple[tuple[str, str, str, int], ...]
    """Control, vendor, verdict and number of findings, by control and verdict."""

    def page(
        self, order: Order, wanted: Mapping[str, str], start: int, limit: int
    ) -> tuple[list[int], int | None]:
        """Positions of the findings that pass, from place ``start`` of an order on.

        Also the place where the next page starts, or None after the last finding.
        """
        # the filter with the most values first: it leaves the fewest places to look at
        filters = [
            (self.columns[order, name], self.names[name].get(value))
            for name, value in sorted(wanted.items(), key=lambda item: -len(self.names[item[0]]))
        ]
        if any(code is None for _, code in filters):
            return [], None
        found: list[int] = []
        place, size = start, _FIRST_PIECE if filters else limit + 1
        while place < self.findings and len(found) <= limit:
            piece = slice(place, place + size)
            if filters:
                column, code = filters[0]
                places = np.flatnonzero(column[piece] == code) + place
            else:
                places = np.arange(place, min(place + size, self.findings))
            for column, code in filters[1:]:
                places = places[column[places] == code]
            found += places[: limit + 1 - len(found)].tolist()
            place += size
            size = min(4 * size, _LARGEST_PIECE)
        positions = self.columns[order, "position"][np.array(found[:limit], np.intp)]
        return positions.tolist(), found[limit] if len(found) > limit else None


class FindingsIndexes:
    """The indexes of all audits; keeps the last ones open."""

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        self._known: OrderedDict[tuple[str, str], FindingsIndex] = OrderedDict()
        self._lock = Lock()
        self._making = Lock()

    def known(self, tenant_id: str, audit_id: str) -> FindingsIndex | None:
        """The index of an audit of the tenant that was asked for before.

        An audit that has succeeded stays so, and stays with its tenant: nobody has to ask again.
        """
        with self._lock:
            index = self._known.get((tenant_id, audit_id))
            if index is not None:
                self._known.move_to_end((tenant_id, audit_id))
            return index

    def open(self, session: Session, audit: Audit) -> FindingsIndex:
        """The index of an audit that has succeeded; made now where there is none."""
        folder = self._reports / audit.id / "views"
        with self._making:
            index = _read(folder)
            if index is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_index(session, audit.number, folder)
                index = _read(folder)
        assert index is not None
        with self._lock:
            self._known[audit.tenant_id, audit.id] = index
            while len(self._known) > _OPEN:
                self._known.popitem(last=False)
        return index


def _read(folder: Path) -> FindingsIndex | None:
    try:
        content = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if content["version"] != _VERSION:
        return None
    number: int = content["findings"]
    columns = {}
    # an empty file cannot be mapped
    mapped = np.memmap(folder / "findings.bin", np.uint8, "r") if number else np.zeros(0, np.uint8)
    mapped[:: mmap.PAGESIZE].max(initial=0)  # read all of it now, in order, not page by page later
    end = 0
    for order in Order:
        for name, kind in content["types"].items():
            start, end = end, end + number * np.dtype(kind).itemsize
            columns[order, name] = np.asarray(mapped[start:end]).view(kind)
    return FindingsIndex(
        columns=columns,
        findings=number,
        names={
            name: {value: code for code, value in enumerate(values)}
            for name, values in content["names"].items()
        },
        counts=tuple(map(tuple, content["counts"])),
    )


def write_index(session: Session, number: int, folder: Path) -> None:
    """Write the two files from what the database holds of an audit."""
    (folder / "findings.json").unlink(missing_ok=True)
    columns, names, measured = _coded(session, number)
    orders: dict[Order, NDArray[np.intp]] = {
        Order.CONTROL: np.arange(len(measured)),  # the order of the positions
        Order.SEVERITY: np.argsort(columns["severity"], kind="stable"),
        Order.SUBJECT: _by_subject(session, number, len(measured)),
        Order.MEASURED: np.argsort(measured, kind="stable"),
    }
    with (folder / "findings.bin").open("wb") as file:
        for order in Order:
            for column in columns.values():
                file.write(column[orders[order]].tobytes())
            file.write(orders[order].astype("<u4").tobytes())
    content = {
        "version": _VERSION,
        "findings": len(measured),
        "names": names,
        "types": {
            **{name: column.dtype.str for name, column in columns.items()},
            "position": "<u4",
        },
        "counts": _counts(columns, names),
    }
    # last: where it is missing, the other one is not whole
    (folder / "findings.json").write_text(json.dumps(content), encoding="utf-8")


def _coded(
    session: Session, number: int
) -> tuple[dict[str, Codes], dict[str, list[str]], NDArray[np.float64]]:
    """Columns of codes by position, what the codes stand for, and what is sorted by measure."""
    c = FINDINGS.c
    statement = (
        select(c.verdict, c.severity_order, c.control, c.district, c.vendor, c.measured_order)
        .where(c.audit == number)
        .order_by(c.position)
    )
    known: dict[str, dict[str, int]] = {
        "verdict": {verdict.value: code for code, verdict in enumerate(Verdict)},
        "severity": {severity.value: code for code, severity in enumerate(SEVERITIES)},
        **{name: {} for name in ("control", "district", "vendor")},
    }
    parts: dict[str, list[NDArray[np.uint32]]] = {name: [] for name in _FILTERS}
    measures: list[NDArray[np.float64]] = []
    for rows in _pieces(session, statement):
        verdicts, severities, *texts, measured = zip(*rows, strict=True)
        values = {"severity": np.array(severities, np.uint32)}
        for name, column in zip(
            ("verdict", "control", "district", "vendor"), (verdicts, *texts), strict=True
        ):
            code_of = known[name]
            for text in dict.fromkeys(column):
                code_of.setdefault(text, len(code_of))
            values[name] = np.array([code_of[text] for text in column], np.uint32)
        for name in _FILTERS:
            parts[name].append(values[name])
        measures.append(np.array(measured, np.float64))
    columns = {
        name: np.concatenate([np.zeros(0, np.uint32), *parts[name]]).astype(
            _narrowest(len(known[name]))
        )
        for name in _FILTERS
    }
    names = {name: list(known[name]) for name in _FILTERS}
    return columns, names, np.concatenate([np.zeros(0), *measures])


def _by_subject(session: Session, number: int, findings: int) -> NDArray[np.intp]:
    """Positions by subject; the database has an index of them."""
    c = FINDINGS.c
    statement = select(c.position).where(c.audit == number).order_by(c.subject, c.position)
    positions = (position for rows in _pieces(session, statement) for (position,) in rows)
    return np.fromiter(positions, np.intp, findings)


def _pieces(session: Session, statement: Any) -> Iterator[Any]:
    result = session.execute(statement.execution_options(yield_per=20_000))
    yield from result.partitions()


def _narrowest(values: int) -> str:
    return "|u1" if values <= 2**8 else "<u2" if values <= 2**16 else "<u4"


def _counts(
    columns: Mapping[str, Codes], names: Mapping[str, list[str]]
) -> list[tuple[str, str, str, int]]:
    """Control, vendor, verdict and number of findings."""
    sizes = [len(names[name]) for name in ("control", "vendor", "verdict")]
    if 0 in sizes:
        return []
    together = np.ravel_multi_index(
        tuple(columns[name].astype(np.intp) for name in ("control", "vendor", "verdict")), sizes
    )
    values, numbers = np.unique(together, return_counts=True)
    places = np.unravel_index(values, sizes)
    found = [
        (names["control"][control], names["vendor"][vendor], names["verdict"][verdict], int(count))
        for control, vendor, verdict, count in zip(*places, numbers, strict=True)
    ]
    return sorted(found, key=lambda entry: (entry[0], entry[2], entry[1]))
