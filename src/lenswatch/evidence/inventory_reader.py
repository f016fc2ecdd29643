"""Reads and validates ``nodes.csv`` or ``nodes.parquet``.

Two ways through: a fast one in Arrow for the file that is right, and a slow one, row by row, that
runs only when something is wrong and says on which line. A wrong cell becomes an empty one; a row
without a usable ``node_id`` is left out; the rest of the inventory stands.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from lenswatch.documents import suggestion
from lenswatch.errors import EvidenceUnusable
from lenswatch.evidence.address_column import plain_ipv4, text_buffers
from lenswatch.evidence.inventory import (
    COLUMNS,
    KINDS,
    NUMBER_COLUMNS,
    TEXT_COLUMNS,
    Inventory,
)
from lenswatch.model import Problem, counted, sentence

LARGEST_INVENTORY = 4 << 30
"""Bytes; ten million nodes take about 2 GB as CSV."""

MOST_PROBLEMS = 50
"""Problems reported one by one; the rest are counted."""

_TRUE = ("true", "True", "TRUE", "yes", "1", "t", "y")
_FALSE = ("false", "False", "FALSE", "no", "0", "f", "n")
_BAD_ID = re.compile(r"[/\\\x00-\x1f\x7f]")
_RANGES = {
    "lat": (-90.0, 90.0, True),
    "lon": (-180.0, 180.0, True),
    "declared_retention_hours": (0.0, math.inf, True),
    "width_px": (0.0, 1e6, False),
    "height_px": (0.0, 1e6, False),
    "hfov_deg": (0.0, 360.0, False),
    "distance_m": (0.0, 1e6, False),
}
"""Lowest and highest value, and whether the lowest itself is allowed."""


def read_inventory(path: Path, *, name: str) -> tuple[Inventory, tuple[Problem, ...]]:
    """Read the nodes of a deployment.

    ``name`` is the path as the user knows it. Raises :class:`EvidenceUnusable` where no node can be
    read at all: no such columns, an empty or foreign file.
    """
    if path.stat().st_size == 0:
        raise EvidenceUnusable(
            "the file is empty", file=name, remedy="write one row a node below a header line"
        )
    if path.stat().st_size > LARGEST_INVENTORY:
        raise EvidenceUnusable(
            f"larger than {LARGEST_INVENTORY >> 30} GiB", file=name, remedy="split the deployment"
        )
    faults = _Faults(name)
    if path.suffix == ".parquet":
        table = _read_parquet(path, faults)
    else:
        table = _read_csv(path, faults)
    inventory = _validate(table, faults)
    return inventory, faults.problems()


class _Faults:
    """Collects problems, the first :data:`MOST_PROBLEMS` in full."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._problems: list[Problem] = []
        self._uncounted = 0
        self.line_of_row: np.ndarray[Any, np.dtype[np.int64]] | None = None

    def add(
        self, message: str, remedy: str, *, line: int | None = None, warning: bool = False
    ) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(
                Problem(self.file, message, remedy, line=line, part="nodes", warning=warning)
            )
        else:
            self._uncounted += 1

    def add_rows(self, rows: Any, message: str, remedy: str, *, warning: bool = False) -> None:
        """One problem for each row, with its line where the file has lines."""
        for row in np.asarray(rows)[: MOST_PROBLEMS + 1].tolist():
            if self.line_of_row is not None:
                self.add(message, remedy, line=int(self.line_of_row[row]), warning=warning)
            else:
                self.add(
                    sentence("row {row}: {message}", row=row, message=sentence(message)),
                    remedy,
                    warning=warning,
                )
        self._uncounted += max(0, len(rows) - MOST_PROBLEMS - 1)

    def problems(self) -> tuple[Problem, ...]:
        if self._uncounted:
            self._problems.append(
                Problem(
                    self.file,
                    sentence("{n} more problems of these kinds", n=self._uncounted),
                    "mend the ones above and validate again",
                    part="nodes",
                )
            )
        return tuple(self._problems)


def _read_parquet(path: Path, faults: _Faults) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            names = _known_columns(file.schema_arrow.names, faults)
            table = file.read(columns=names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise EvidenceUnusable(
            "not a readable Parquet file",
            file=faults.file,
            remedy="write it again, or export nodes.csv",
        ) from error
    columns = {}
    for column in names:
        wanted = pa.string() if column in TEXT_COLUMNS else pa.float64()
        values = table[column]
        if column == "declared_masked" and pa.types.is_string(values.type):
            values = _masked_from_text(values, faults)
        elif values.type != wanted:
            try:
                values = pc.cast(values, wanted)
            except (pa.ArrowException, ValueError):
                faults.add(
                    sentence(
                        "column {column} has the type {type}", column=column, type=str(values.type)
                    ),
                    sentence(
                        "store it as text" if wanted == pa.string() else "store it as a number"
                    ),
                )
                continue
        columns[column] = values
    return pa.table(columns)


def _masked_from_text(values: pa.ChunkedArray, faults: _Faults) -> pa.ChunkedArray:
    true = pc.is_in(values, pa.array(_TRUE))
    false = pc.is_in(values, pa.array(_FALSE))
    empty = pc.or_(pc.is_null(values), pc.equal(pc.fill_null(values, ""), ""))
    bad = pc.invert(pc.or_(pc.or_(true, false), empty))
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        faults.add_rows(
            rows,
            sentence("{name} is neither true nor false", name="declared_masked"),
            "write true or false",
        )
    return pc.if_else(true, 1.0, pc.if_else(false, 0.0, pa.scalar(None, pa.float64())))


def _known_columns(names: list[str], faults: _Faults) -> list[str]:
    """The columns that mean something to us, after naming those that do not."""
    known = [name for name in dict.fromkeys(names) if name in COLUMNS]
    missing = [name for name in ("node_id", "kind") if name not in known]
    unknown = sorted({name for name in names if name not in COLUMNS})
    if missing:
        raise EvidenceUnusable(
            f"the header has no column {' and no column '.join(missing)}",
            file=faults.file,
            line=1,
            remedy=suggestion(unknown or missing, COLUMNS),
        )
    if len(names) != len(set(names)):
        raise EvidenceUnusable(
            "a column stands twice in the header",
            file=faults.file,
            line=1,
            remedy="keep one of them",
        )
    if unknown:
        faults.add(
            counted(
                "{count} unknown column, not used",
                "{count} unknown columns, not used",
                len(unknown),
            ),
            suggestion(unknown, COLUMNS),
            line=1,
            warning=True,
        )
    return known


def _read_csv(path: Path, faults: _Faults) -> pa.Table:
    names = _csv_header(path, faults)
    known = _known_columns(names, faults)
    types = {name: pa.string() for name in TEXT_COLUMNS} | {
        name: pa.float64() for name in (*NUMBER_COLUMNS, "declared_masked")
    }
    types["declared_masked"] = pa.bool_()
    try:
        table = pacsv.read_csv(
            path,
            parse_options=pacsv.ParseOptions(newlines_in_values=False),
            convert_options=pacsv.ConvertOptions(
                column_types={name: types[name] for name in known},
                include_columns=known,
                strings_can_be_null=False,
                true_values=list(_TRUE),
                false_values=list(_FALSE),
                null_values=[""],
            ),
        )
    except (pa.ArrowException, OSError, ValueError):
        return _read_csv_slowly(path, names, known, faults)
    if "declared_masked" in known:
        position = table.column_names.index("declared_masked")
        table = table.set_column(
            position, "declared_masked", pc.cast(table["declared_masked"], pa.float64())
        )
    return table


def _csv_header(path: Path, faults: _Faults) -> list[str]:
    try:
        with path.open("rb") as stream:
            first = stream.readline(1 << 20).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvidenceUnusable(
            "not UTF-8 text", file=faults.file, line=1, remedy="save it as «CSV UTF-8»"
        ) from error
    header = next(csv.reader([first]), [])
    if len(header) == 1 and (";" in first or "\t" in first):
        raise EvidenceUnusable(
            "columns are not separated by commas",
            file=faults.file,
            line=1,
            remedy="save it with commas; ';' separates addresses inside their column",
        )
    return [name.strip() for name in header]


def _read_csv_slowly(path: Path, names: list[str], known: list[str], faults: _Faults) -> pa.Table:
    """Row by row, after the fast way found something wrong: keeps all that is right."""
    columns: dict[str, list[Any]] = {name: [] for name in known}
    positions = {name: names.index(name) for name in known}
    lines: list[int] = []
    csv.field_size_limit(1 << 20)
    with path.open("rb") as stream:
        for line, cells in _csv_rows(stream, faults):
            if len(cells) != len(names):
                faults.add(
                    sentence(
                        "{n} cells where the header has {wanted}", n=len(cells), wanted=len(names)
                    ),
                    "check commas and quotes on this line",
                    line=line,
                )
                continue
            for name, position in positions.items():
                columns[name].append(_cell(name, cells[position], line, faults))
            lines.append(line)
    faults.line_of_row = np.array(lines, np.int64)
    return pa.table(
        {
            name: pa.array(values, pa.string() if name in TEXT_COLUMNS else pa.float64())
            for name, values in columns.items()
        }
    )


def _csv_rows(stream: Any, faults: _Faults) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with the line each begins on; undecodable lines are named."""

    def lines() -> Iterator[str]:
        for number, raw in enumerate(stream, 1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                faults.add("not UTF-8 text", "save the file as «CSV UTF-8»", line=number)
                text = raw.decode("utf-8", "replace")
            yield text.replace("\0", "�")

    reader = csv.reader(lines())
    begin = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            faults.add(
                "a cell that does not end", "check the quotes on this line", line=reader.line_num
            )
            begin = reader.line_num + 1
            continue
        if begin > 1 and cells:
            yield begin, cells
        begin = reader.line_num + 1


def _cell(name: str, text: str, line: int, faults: _Faults) -> str | float | None:
    if name in TEXT_COLUMNS:
        return text
    if text.strip() == "":
        return None
    if name == "declared_masked":
        if text in _TRUE:
            return 1.0
        if text in _FALSE:
            return 0.0
        faults.add(
            sentence("{name} is neither true nor false", name=name),
            "write true or false",
            line=line,
        )
        return None
    try:
        return float(text)
    except ValueError:
        faults.add(
            sentence("{name} is not a number", name=name),
            "write a plain number such as 12.5",
            line=line,
        )
        return None


def _validate(table: pa.Table, faults: _Faults) -> Inventory:
    if table.num_rows == 0:
        raise EvidenceUnusable(
            "no node below the header", file=faults.file, remedy="write one row a node"
        )
    if faults.line_of_row is None and not faults.file.endswith(".parquet"):
        # the fast reader keeps every row and allows no line breaks inside cells
        faults.line_of_row = np.arange(2, table.num_rows + 2)
    table = _validate_ids(table, faults)
    table = _validate_kinds(table, faults)
    for name in NUMBER_COLUMNS:
        if name in table.column_names:
            table = _validate_numbers(table, name, faults)
    if "country" in table.column_names:
        codes = pc.unique(table["country"]).to_pylist()
        bad = [code for code in codes if code and not re.fullmatch("[A-Z]{2}", code)]
        if bad:
            rows = np.flatnonzero(np.asarray(pc.is_in(table["country"], pa.array(bad))))
            faults.add_rows(rows, "country is no code of two capital letters", "use ISO 3166-1")
    if "stream_url" in table.column_names and _has_byte(table["stream_url"], b"@"):
        secret = pc.match_substring_regex(table["stream_url"], "//[^/]*:[^/]*@")
        faults.add_rows(
            np.flatnonzero(np.asarray(secret.fill_null(False))),
            "stream_url holds a password",
            "remove it: credentials belong in a scope file, not in evidence",
            warning=True,
        )
    if "addresses" in table.column_names:
        _validate_addresses(table, faults)
    return Inventory(table, file=faults.file)


def _validate_ids(table: pa.Table, faults: _Faults) -> pa.Table:
    """Names are unique and usable, and ``declared_upstream`` points at one of them.

    Both questions are answered by one dictionary over the names followed by the distinct
    upstreams: names are unique when their codes count up, an upstream is known when its code is
    one of theirs. (Two hash tables, ``count_distinct`` and ``is_in``: 160 ms instead of 50 ms for
    500,000 nodes.)
    """
    ids = _combined(table["node_id"])
    upstreams = _distinct_upstreams(table)
    encoded = pa.concat_arrays([ids, upstreams]).dictionary_encode()
    codes = np.asarray(encoded.indices.fill_null(-1))
    id_codes, upstream_codes = codes[: len(ids)], codes[len(ids) :]
    highest = int(id_codes.max(initial=-1))
    unknown = upstreams.filter(pa.array(upstream_codes > highest))
    if len(unknown):
        wrong = pc.is_in(table["declared_upstream"], value_set=unknown)
        faults.add_rows(
            np.flatnonzero(np.asarray(wrong)),
            "declared_upstream names no node of this inventory",
            "use the node_id of a row in this file",
        )
    drop = np.zeros(len(ids), np.bool_)
    if ids.null_count or highest + 1 < len(ids) or _has_byte(ids, b"/\\\x7f", control=True):
        drop = np.asarray(
            pc.or_(
                pc.equal(pc.fill_null(ids, ""), ""),
                pc.fill_null(pc.match_substring_regex(ids, _BAD_ID.pattern), False),
            )
        ).copy()
    elif pc.any(pc.equal(ids, "")).as_py():
        drop = np.asarray(pc.equal(ids, "")).copy()
    faults.add_rows(
        np.flatnonzero(drop),
        "node_id is empty or holds a slash or a control character",
        "give the node a plain unique name",
    )
    if highest + 1 < len(ids):
        first = np.zeros(len(ids), np.bool_)
        first[np.unique(id_codes, return_index=True)[1]] = True
        double = np.flatnonzero(~first & ~drop)
        faults.add_rows(
            double, "node_id stands on an earlier line too", "keep one row a node; the first counts"
        )
        drop[double] = True
    if drop.any():
        if drop.all():
            raise EvidenceUnusable(
                "no row has a usable node_id", file=faults.file, remedy="name every node"
            )
        keep = ~drop
        table = table.filter(pa.array(keep))
        if faults.line_of_row is not None:
            faults.line_of_row = faults.line_of_row[keep]
    return table


def _distinct_upstreams(table: pa.Table) -> pa.Array:
    if "declared_upstream" not in table.column_names:
        return pa.array([], pa.string())
    distinct = pc.unique(table["declared_upstream"])
    return distinct.filter(pc.not_equal(pc.fill_null(distinct, ""), ""))


def _combined(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _has_byte(column: pa.Array | pa.ChunkedArray, wanted: bytes, *, control: bool = False) -> bool:
    """Whether any text of a column holds one of some bytes, or a control character.

    Asked of the raw buffer before a regex goes through the cells: a tenth of its time.
    """
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        text = chunk.buffers()[2]
        if text is None or text.size == 0:
            continue
        if control and np.frombuffer(text, np.uint8).min() < 32:
            return True
        raw = text.to_pybytes()
        if any(byte in raw for byte in wanted):
            return True
    return False


def _validate_kinds(table: pa.Table, faults: _Faults) -> pa.Table:
    kinds = table["kind"]
    bad = [kind for kind in pc.unique(kinds).to_pylist() if kind not in KINDS]
    if not bad:
        return table
    wrong = pc.is_in(kinds, pa.array(bad, pa.string()))
    faults.add_rows(
        np.flatnonzero(np.asarray(wrong)),
        "kind is none of the known kinds; the node is not audited",
        sentence("use one of: {values}", values=", ".join(KINDS)),
    )
    return table.set_column(
        table.column_names.index("kind"), "kind", pc.if_else(wrong, pa.scalar(""), kinds)
    )


def _validate_numbers(table: pa.Table, name: str, faults: _Faults) -> pa.Table:
    lowest, highest, inclusive = _RANGES[name]
    values = table[name]
    extremes = pc.min_max(values)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    has_nan = bool(pc.any(pc.is_nan(values)).as_py())
    if not has_nan and (
        low is None or ((low >= lowest if inclusive else low > lowest) and high <= highest)
    ):
        return table
    numbers = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    given = np.asarray(pc.is_valid(values))
    with np.errstate(invalid="ignore"):
        fits = (numbers >= lowest if inclusive else numbers > lowest) & (numbers <= highest)
    fits &= np.isfinite(numbers)
    wrong = given & ~fits
    faults.add_rows(
        np.flatnonzero(wrong),
        sentence("{name} is out of range", name=name),
        sentence(
            "it goes from {lowest:g} to {highest:g}"
            if inclusive
            else "it is above {lowest:g} and goes up to {highest:g}",
            lowest=lowest,
            highest=highest,
        ),
    )
    kept = pa.array(numbers, pa.float64(), mask=~fits)
    return table.set_column(table.column_names.index(name), name, kept)


def _validate_addresses(table: pa.Table, faults: _Faults) -> None:
    offsets, text = text_buffers(table["addresses"])
    plain = plain_ipv4(offsets, text)
    if plain is not None:
        first = np.sort(plain)
        if not (first[1:] == first[:-1]).any():
            return
    # only now: loading numba takes longer than all the rest of the inventory
    from lenswatch_kernels.address_text import parse_address_column

    ranges = parse_address_column(offsets, text)
    faults.add_rows(
        ranges.malformed,
        "addresses holds something that is no IP address or CIDR block",
        "write addresses such as 192.0.2.7 or 2001:db8::/64, separated by ';'",
    )
    bounds = (ranges.last_low, ranges.last_high, ranges.first_low, ranges.first_high)
    order = np.lexsort(bounds)
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for column in bounds:
        same &= column[order][1:] == column[order][:-1]
    faults.add_rows(
        np.unique(ranges.row[order[1:][same]]),
        "another node has the same address",
        "flows at this address cannot be told apart; give each node its own",
        warning=True,
    )
