"""Readers of integers against Python's own, at every width and place."""

from __future__ import annotations

import numpy as np
import pytest

from lenswatch_kernels import big_endian

pytestmark = pytest.mark.kernel


def test_integers_of_every_width() -> None:
    """High bits set too: nothing may turn negative but by being eight bytes of it."""
    buffer = np.random.default_rng(3).integers(0, 256, 64, dtype=np.uint8)
    buffer[:16] = 255
    text = buffer.tobytes()
    for at in range(40):
        assert int(big_endian.two_bytes(buffer, at)) == int.from_bytes(text[at : at + 2], "big")
        assert int(big_endian.four_bytes(buffer, at)) == int.from_bytes(text[at : at + 4], "big")
        assert int(big_endian.eight_bytes(buffer, at)) == int.from_bytes(text[at : at + 8], "big")
        for width in range(13):
            whole = int.from_bytes(text[at : at + width], "big")
            assert int(big_endian.any_bytes(buffer, at, width)) == whole % 2**64


def test_sums_of_integers_do_not_wrap() -> None:
    """What two bytes give is wide enough to be added to."""
    buffer = np.full(8, 255, np.uint8)
    assert int(big_endian.two_bytes(buffer, 0) + big_endian.two_bytes(buffer, 2)) == 2 * 65535
    assert int(big_endian.four_bytes(buffer, 0) - big_endian.four_bytes(buffer, 4)) == 0
