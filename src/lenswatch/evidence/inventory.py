"""The inventory: every node of the deployment, in columns.

The columns stay in Arrow memory and become numpy arrays when somebody asks: half a million rows
load without half a million Python objects.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from lenswatch_kernels.address_text import AddressRanges

KINDS = ("camera", "router", "switch", "recorder", "relay", "sink")

TEXT_COLUMNS = (
    "node_id",
    "kind",
    "vendor",
    "model",
    "district",
    "addresses",
    "declared_upstream",
    "operator",
    "country",
    "place_type",
    "stream_url",
)
NUMBER_COLUMNS = (
    "lat",
    "lon",
    "declared_retention_hours",
    "width_px",
    "height_px",
    "hfov_deg",
    "distance_m",
)
COLUMNS = (*TEXT_COLUMNS, *NUMBER_COLUMNS, "declared_masked")


class Inventory:
    """Nodes in columns, each ``len(inventory)`` long; row *i* is node *i* in the order of the file.

    Text columns are object arrays of ``str`` with ``""`` for an empty cell, number columns are
    float64 with NaN, ``declared_masked`` is float64 with 1, 0 or NaN. A column that the file does
    not have is ``None``, which makes the checks that need it inconclusive.
    """

    def __init__(self, table: pa.Table, *, file: str = "nodes.csv") -> None:
        self._table = table
        self.file = file
        """Name of the file in the bundle, for findings about what it says."""

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def has(self, column: str) -> bool:
        """Whether the file has this column."""
        return column in self._table.column_names

    def _text(self, column: str) -> NDArray[np.object_] | None:
        if not self.has(column):
            return None
        values = self._table[column].to_numpy(zero_copy_only=False)
        missing = np.array([value is None for value in values], np.bool_)
        if missing.any():
            values = values.copy()
            values[missing] = ""
        return np.asarray(values, np.object_)

    def _number(self, column: str) -> NDArray[np.float64] | None:
        if not self.has(column):
            return None
        return np.asarray(self._table[column].to_numpy(zero_copy_only=False), np.float64)

    def codes(self, column: str) -> tuple[NDArray[np.int32], list[str]] | None:
        """A text column as codes and the values they stand for, -1 for an empty cell.

        Values are in order of first occurrence. None where the column is absent.
        """
        if not self.has(column):
            return None
        encoded = self._table[column].combine_chunks().dictionary_encode()
        values = encoded.dictionary.to_pylist()
        codes = np.asarray(encoded.indices.fill_null(-1), np.int32)
        if "" in values:
            codes = np.where(codes == values.index(""), np.int32(-1), codes)
        return codes, values

    @cached_property
    def node_id(self) -> NDArray[np.object_]:
        """Unique name of each node."""
        values = self._text("node_id")
        assert values is not None
        return values

    @cached_property
    def kind(self) -> NDArray[np.object_]:
        """One of :data:`KINDS`, ``""`` where the file's value was none of them."""
        values = self._text("kind")
        assert values is not None
        return values

    @cached_property
    def cameras(self) -> NDArray[np.int64]:
        """Rows of the nodes of kind ``camera``."""
        return np.flatnonzero(self.kind == "camera")

    @cached_property
    def _row_by_id(self) -> dict[str, int]:
        return {node_id: row for row, node_id in enumerate(self.node_id)}

    def row_of(self, node_id: str) -> int | None:
        """Row of a node, None where the inventory does not know it."""
        return self._row_by_id.get(node_id)

    @cached_property
    def address_ranges(self) -> AddressRanges | None:
        """Address ranges with the row each belongs to; None where the column is absent."""
        if not self.has("addresses"):
            return None
        from lenswatch.evidence.address_column import text_buffers
        from lenswatch_kernels.address_text import parse_address_column

        return parse_address_column(*text_buffers(self._table["addresses"]))

    @cached_property
    def has_address(self) -> NDArray[np.bool_]:
        """Whether each node has at least one usable address."""
        has = np.zeros(len(self), np.bool_)
        if self.address_ranges is not None:
            has[self.address_ranges.row] = True
        return has

    @cached_property
    def vendor(self) -> NDArray[np.object_] | None:
        """Maker."""
        return self._text("vendor")

    @cached_property
    def model(self) -> NDArray[np.object_] | None:
        """Model name as the vendor uses it."""
        return self._text("model")

    @cached_property
    def district(self) -> NDArray[np.object_] | None:
        """District the node stands in."""
        return self._text("district")

    @cached_property
    def declared_upstream(self) -> NDArray[np.object_] | None:
        """node_id that the node is declared to send to."""
        return self._text("declared_upstream")

    @cached_property
    def operator(self) -> NDArray[np.object_] | None:
        """Who runs the node."""
        return self._text("operator")

    @cached_property
    def country(self) -> NDArray[np.object_] | None:
        """ISO 3166-1 alpha-2 code of the place of the node."""
        return self._text("country")

    @cached_property
    def place_type(self) -> NDArray[np.object_] | None:
        """What kind of place the camera looks at."""
        return self._text("place_type")

    @cached_property
    def stream_url(self) -> NDArray[np.object_] | None:
        """Live address of the camera; touched only under a scope file."""
        return self._text("stream_url")

    @cached_property
    def lat(self) -> NDArray[np.float64] | None:
        """Latitude in degrees, WGS 84."""
        return self._number("lat")

    @cached_property
    def lon(self) -> NDArray[np.float64] | None:
        """Longitude in degrees, WGS 84."""
        return self._number("lon")

    @cached_property
    def declared_retention_hours(self) -> NDArray[np.float64] | None:
        """Hours after which the node's recordings are declared to be gone."""
        return self._number("declared_retention_hours")

    @cached_property
    def width_px(self) -> NDArray[np.float64] | None:
        """Width of the picture in pixels."""
        return self._number("width_px")

    @cached_property
    def height_px(self) -> NDArray[np.float64] | None:
        """Height of the picture in pixels."""
        return self._number("height_px")

    @cached_property
    def hfov_deg(self) -> NDArray[np.float64] | None:
        """Horizontal field of view in degrees."""
        return self._number("hfov_deg")

    @cached_property
    def distance_m(self) -> NDArray[np.float64] | None:
        """Distance to the scene of interest in metres."""
        return self._number("distance_m")

    @cached_property
    def declared_masked(self) -> NDArray[np.float64] | None:
        """1 where the camera is declared to mask faces, 0 where declared not to, NaN unknown."""
        return self._number("declared_masked")

    def value(self, column: str, row: int) -> Any:
        """One cell as ``str`` or ``float``; None where the column or the cell is empty."""
        if not self.has(column):
            return None
        cell = self._table[column][row].as_py()
        return None if cell == "" else cell
