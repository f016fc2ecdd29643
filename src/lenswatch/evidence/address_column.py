"""The inventory's address column: its bytes, and a quick way through the plain case.

Any form of address is parsed by :mod:`lenswatch_kernels.address_text`. Loading numba for it takes
longer than reading half a million nodes, so a column of single IPv4 addresses, which most
inventories have, is validated with numpy alone.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def text_buffers(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Offsets (cells + 1) of the cells into the column's UTF-8 bytes; null cells are empty."""
    if column.null_count:
        column = pc.fill_null(column, "")  # a null cell may still span bytes
    cells = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    _, offsets, text = cells.buffers()
    starts = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    characters = np.frombuffer(text, np.uint8) if text is not None else np.zeros(0, np.uint8)
    return starts.astype(np.int64), characters


def plain_ipv4(offsets: NDArray[np.int64], text: NDArray[np.uint8]) -> NDArray[np.uint32] | None:
    """Addresses of a column whose every cell is empty or one dotted quad, else None."""
    digits_and_dots = np.zeros(256, np.bool_)
    digits_and_dots[[46, *range(48, 58)]] = True
    text = text[offsets[0] : offsets[-1]]
    if not digits_and_dots[text].all():
        return None
    offsets = (offsets - offsets[0]).astype(np.int32)
    filled = offsets[1:] > offsets[:-1]
    start, stop = offsets[:-1][filled], offsets[1:][filled]
    dots = np.flatnonzero(text == 46).astype(np.int32)
    if len(dots) != 3 * len(start):
        return None
    ends = np.column_stack([dots.reshape(-1, 3), stop])
    begins = np.column_stack([start, dots.reshape(-1, 3) + np.int32(1)])
    length = ends - begins
    if len(start) == 0 or length.min() < 1 or length.max() > 3:
        return np.zeros(0, np.uint32) if len(start) == 0 else None
    if ((text[begins] == 48) & (length > 1)).any():
        return None
    value = text[ends - 1].astype(np.int32) - 48
    for place, weight in ((2, 10), (3, 100)):
        value += np.where(length >= place, (text[ends - place].astype(np.int32) - 48) * weight, 0)
    if value.max() > 255:
        return None
    scale = np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint32)
    addresses: NDArray[np.uint32] = (value.astype(np.uint32) * scale).sum(axis=1, dtype=np.uint32)
    return addresses
