"""Tells payloads that are flow exports from all other payloads, by their structure alone.

A payload counts as an export only where its lengths fit all the way through: chance gives a
version number easily, a chain of lengths hardly ever.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import leaf_kernel, prefetch
from lenswatch_kernels.big_endian import four_bytes, two_bytes

OTHER, NETFLOW, IPFIX, SFLOW = 0, 1, 2, 3

_EARLIEST = 946_684_800
"""2000-01-01 in seconds since 1970: no exporter is older, few clocks are."""
_AHEAD = 8
"""Payloads whose headers are asked for before they are needed."""


def classify_payloads(
    data: NDArray[np.uint8], offset: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """``NETFLOW`` (v1, v5, v7, v9), ``IPFIX``, ``SFLOW`` or ``OTHER`` for each payload.

    A payload with offset -1 is ``OTHER``. O(payloads x sets).
    """
    if offset.shape != length.shape:
        raise ValueError("offset and length must be equally long")
    if offset.size and int((offset + length).max()) > data.size:
        raise ValueError("a payload lies outside the data")
    kinds = np.zeros(offset.shape[0], np.uint8)
    _classify(data, offset, length, kinds)
    return kinds


@leaf_kernel
def _chain(data: NDArray[np.uint8], at: Any, end: Any, lowest: Any) -> Any:
    """Do the sets from ``at`` end exactly at ``end``, or in less than a header of zeros?"""
    sets = 0
    while end - at >= 4:
        kind = two_bytes(data, at)
        size = two_bytes(data, at + 2)
        if size == 0 and kind == 0 and sets > 0:
            return True
        if size < 4 or size > end - at:
            return False
        if kind != lowest and kind != lowest + 1 and kind < 256:
            return False
        at += size
        sets += 1
    return sets > 0


@leaf_kernel
def _sflow(data: NDArray[np.uint8], at: Any, end: Any) -> Any:
    family = four_bytes(data, at + 4)
    if family == 1:
        at += 12
    elif family == 2 and end - at >= 40:
        at += 24
    else:
        return False
    if end - at < 16:
        return False
    count = four_bytes(data, at + 12)
    at += 16
    if count > 4096:
        return False
    for _ in range(count):
        if end - at < 8:
            return False
        size = four_bytes(data, at + 4)
        if size > end - at - 8:
            return False
        at += 8 + size
    return count > 0


@leaf_kernel
def _classify(
    data: NDArray[np.uint8],
    offset: NDArray[np.int64],
    length: NDArray[np.int64],
    kinds: NDArray[np.uint8],
) -> None:
    for row in range(offset.shape[0]):
        if row + _AHEAD < offset.shape[0]:
            prefetch(data, max(np.int64(0), offset[row + _AHEAD]))
        at = offset[row]
        size = length[row]
        if at < 0 or size < 16:
            continue
        end = at + size
        version = two_bytes(data, at)
        if version == 10:
            told = two_bytes(data, at + 2)
            fits = 16 <= told <= size and four_bytes(data, at + 4) > _EARLIEST
            if fits and (told == 16 or _chain(data, at + 16, at + told, 2)):
                kinds[row] = IPFIX
        elif version == 9:
            if size > 24 and four_bytes(data, at + 8) > _EARLIEST and _chain(data, at + 20, end, 0):
                kinds[row] = NETFLOW
        elif version == 5 or version == 7 or version == 1:
            count = two_bytes(data, at + 2)
            header = 16 if version == 1 else 24
            record = 48 if version == 5 else 52
            left = size - header - count * record
            fits = 0 < count <= 1000 and 0 <= left and (left < record or version == 5)
            if fits and four_bytes(data, at + 8) > _EARLIEST:
                kinds[row] = NETFLOW
        elif version == 0 and size >= 28 and four_bytes(data, at) == 5 and _sflow(data, at, end):
            kinds[row] = SFLOW
