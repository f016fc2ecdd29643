"""The flow cache against its naive twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenswatch_kernels import flow_cache
from tests.reference import flow_cache as naive

pytestmark = pytest.mark.kernel

PACKETS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 40), st.integers(20, 1500), st.integers(0, 255)),
    max_size=120,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(PACKETS, st.integers(0, 4))
def test_records_like_the_naive_cache(rows: list[tuple[int, int, int, int]], parts: int) -> None:
    """Timeouts, disorder of times, a full table, and packets handed over in several calls."""
    times = np.cumsum([row[1] - 2 for row in rows], dtype=np.int64) + 1000
    count = len(rows)
    keys = np.zeros((count, flow_cache.KEYS), np.uint64)
    keys[:, 4] = [row[0] for row in rows]
    octets = np.array([row[2] for row in rows], np.int64)
    flags = np.array([row[3] for row in rows], np.int64)
    place = np.arange(count) * 10
    zero = np.zeros(count, np.int64)
    cache = flow_cache.FlowCache(32)
    data = np.zeros(1, np.uint8)
    found = [
        flow_cache.gather_flows(
            cache, data, keys[part], times[part], octets[part], flags[part], zero[part],
            zero[part], zero[part] - 1, zero[part], place[part], active_ns=300, idle_ns=90,
        )
        for part in np.array_split(np.arange(count), parts + 1)
    ]  # fmt: skip
    found.append(flow_cache.end_flows(cache))
    entries = np.concatenate([part.entries for part in found])
    told = np.concatenate([part.keys[:, 4] for part in found])
    order = np.argsort(entries[:, flow_cache.ORDER], kind="stable")
    columns = (
        flow_cache.START, flow_cache.END, flow_cache.OCTETS, flow_cache.PACKETS, flow_cache.FLAGS,
        flow_cache.PLACE,
    )  # fmt: skip
    ours = [(int(told[row]), *(int(entries[row, column]) for column in columns)) for row in order]
    packets = zip(
        keys[:, 4].tolist(), times.tolist(), octets.tolist(), flags.tolist(), place.tolist(),
        strict=True,
    )  # fmt: skip
    expected = naive.flows(packets, active=300, idle=90, most=16)
    assert ours == [
        (flow.key, flow.start, flow.end, flow.octets, flow.packets, flow.flags, flow.place)
        for flow in expected
    ]


@pytest.mark.parametrize("capacity", [0, 8, 17])
def test_bad_capacities_are_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        flow_cache.FlowCache(capacity)


def application(protocol: int, *payloads: bytes) -> int:
    """What one flow of these payloads is told to carry."""
    data = np.frombuffer(b"".join(payloads) or b"\0", np.uint8)
    length = np.array([len(payload) for payload in payloads], np.int64)
    count = len(payloads)
    keys = np.zeros((count, flow_cache.KEYS), np.uint64)
    keys[:, 4] = protocol << 32
    zero = np.zeros(count, np.int64)
    cache = flow_cache.FlowCache(16)
    flow_cache.gather_flows(
        cache, data, keys, zero, length, zero, zero - 1, zero, np.cumsum(length) - length, length,
        zero, active_ns=10, idle_ns=10,
    )  # fmt: skip
    return int(flow_cache.end_flows(cache).entries[0, flow_cache.APPLICATION])


def rtp(number: int, size: int) -> bytes:
    return b"\x80\x60" + number.to_bytes(2, "big") + bytes(4) + b"\1\2\3\4" + bytes(size)


def framed(number: int, size: int) -> bytes:
    return (12 + size).to_bytes(2, "big") + rtp(number, size)


SRT = b"\x80\0\0\0" + bytes(12) + b"\0\0\0\5" + bytes(44)


@pytest.mark.parametrize(
    ("protocol", "payloads", "expected"),
    [
        (6, [framed(1, 50), framed(2, 60), framed(3, 70)], flow_cache.RTP),
        (6, [framed(1, 50) + framed(2, 60) + framed(3, 900)[:200]], flow_cache.RTP),
        (6, [framed(1, 50) + framed(9000, 60) + framed(3, 70)], flow_cache.UNKNOWN),
        (6, [framed(1, 50) + framed(2, 60)], flow_cache.UNKNOWN),
        (6, [b"\0\x40" + bytes(64)], flow_cache.UNKNOWN),
        (6, [b"\3" + b"time" + bytes(4) + bytes(range(200))], flow_cache.RTMP),
        (6, [b"anything", b"\3" + b"time" + bytes(4) + bytes(range(200))], flow_cache.UNKNOWN),
        (6, [b"\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\0\0\0\0"], flow_cache.UNKNOWN),
        (17, [SRT], flow_cache.SRT),
        (17, [SRT[:40]], flow_cache.UNKNOWN),
        (17, [b"\xf1\x30\0\5hello"], flow_cache.PPPP),
        (17, [b"\xf1\x30\0\6hello"], flow_cache.UNKNOWN),
        (17, [rtp(1, 50), rtp(2, 50), rtp(3, 50)], flow_cache.RTP),
    ],
)
def test_what_a_payload_tells(protocol: int, payloads: list[bytes], expected: int) -> None:
    assert application(protocol, *payloads) == expected
