"""The columnar flow table: one schema for the records of every format.

A row says what one router, probe or capture saw of one direction of one conversation during one
interval. Nothing in it is scaled: octets and packets are as exported, and ``sampling`` says how
many packets one counted packet stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

UNKNOWN_TIME = -1
"""``start_ms`` or ``end_ms`` that the evidence does not tell."""

IPV4_MAPPED = 0x0000_FFFF_0000_0000
"""Low half of the IPv6 address ``::ffff:0.0.0.0``, under which IPv4 addresses are kept."""


class Application(IntEnum):
    """What a flow carries, where that is seen in clear or told by an ``applicationId``."""

    UNKNOWN = 0
    RTSP = 1
    RTP = 2
    RTCP = 3
    SIP = 4
    HTTP = 5
    TLS = 6
    GRE = 7
    ERSPAN = 8
    TZSP = 9
    VXLAN = 10
    GA1400 = 11
    """GA/T 1400: faces and snapshots as HTTP and JSON, without any video flow."""
    ONVIF = 12
    RTMP = 13
    QUIC = 14
    DNS = 15
    STUN = 16
    MPEGTS = 17
    SRT = 18
    DTLS = 19
    NTP = 20
    SSH = 21
    SMTP = 22
    FTP = 23
    PPPP = 24
    """Peer-to-peer protocol of camera makers' clouds: a host in between joins camera and viewer."""


class Direction(IntEnum):
    """Where at the exporter's interface the flow was seen (IPFIX element 61)."""

    INGRESS = 0
    EGRESS = 1
    UNKNOWN = 255


DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in {
        "exporter": "u4",
        "observation_domain": "u4",
        "start_ms": "i8",
        "end_ms": "i8",
        "source_high": "u8",
        "source_low": "u8",
        "destination_high": "u8",
        "destination_low": "u8",
        "source_port": "u2",
        "destination_port": "u2",
        "protocol": "u1",
        "octets": "u8",
        "packets": "u8",
        "sampling": "u4",
        "tcp_flags": "u2",
        "ingress_interface": "u4",
        "egress_interface": "u4",
        "direction": "u1",
        "application": "u1",
        "ssrc": "u4",
        "file": "u4",
        "offset": "i8",
    }.items()
}
"""Column types of a `FlowTable`, in order."""


@dataclass(frozen=True, slots=True)
class FlowTable:
    """Equally long columns, one row a flow record."""

    exporter: NDArray[np.uint32]
    """Row in the reader's list of exporters."""
    observation_domain: NDArray[np.uint32]
    """Observation domain (IPFIX), source id (v9), engine (v5), sub-agent (sFlow); else 0."""
    start_ms: NDArray[np.int64]
    """First packet, milliseconds since 1970 UTC; -1 where unknown."""
    end_ms: NDArray[np.int64]
    """Last packet, likewise."""
    source_high: NDArray[np.uint64]
    """Upper half of the source's IPv6 address; IPv4 is kept as ``::ffff:a.b.c.d``."""
    source_low: NDArray[np.uint64]
    """Lower half."""
    destination_high: NDArray[np.uint64]
    """Upper half of the destination's address."""
    destination_low: NDArray[np.uint64]
    """Lower half."""
    source_port: NDArray[np.uint16]
    """Transport port; 0 where the protocol has none."""
    destination_port: NDArray[np.uint16]
    """Likewise; exporters put ICMP type and code here, and so do we where they are separate."""
    protocol: NDArray[np.uint8]
    """IANA protocol number."""
    octets: NDArray[np.uint64]
    """Bytes as exported, not scaled by ``sampling``."""
    packets: NDArray[np.uint64]
    """Packets as exported, not scaled."""
    sampling: NDArray[np.uint32]
    """One counted packet stands for this many; 1 unsampled, 0 where the exporter never said."""
    tcp_flags: NDArray[np.uint16]
    """Union of the TCP flags."""
    ingress_interface: NDArray[np.uint32]
    """SNMP index; 0 unknown."""
    egress_interface: NDArray[np.uint32]
    """SNMP index; 0 unknown."""
    direction: NDArray[np.uint8]
    """A `Direction`."""
    application: NDArray[np.uint8]
    """An `Application`."""
    ssrc: NDArray[np.uint32]
    """RTP synchronisation source; 0 unknown."""
    file: NDArray[np.uint32]
    """Row in the reader's list of files."""
    offset: NDArray[np.int64]
    """Byte offset in that file of the message, packet or line the record came from."""

    def __post_init__(self) -> None:
        length = self.exporter.shape[0]
        for name, dtype in DTYPES.items():
            column = getattr(self, name)
            if column.shape != (length,) or column.dtype != dtype:
                raise ValueError(
                    f"flow table column {name}: expected {length} values of {dtype}, "
                    f"got shape {column.shape} of {column.dtype}"
                )

    def __len__(self) -> int:
        return int(self.exporter.shape[0])

    def take(self, rows: NDArray[Any]) -> FlowTable:
        """The rows that an index or boolean array selects, copied."""
        return FlowTable(**{name: getattr(self, name)[rows] for name in DTYPES})

    def to_arrow(self) -> pa.Table:
        """The same columns as an Arrow table (no copy)."""
        import pyarrow as pa

        return pa.table({name: pa.array(getattr(self, name)) for name in DTYPES})


def empty(length: int = 0) -> FlowTable:
    """A table of ``length`` rows with the values that mean "unknown"."""
    columns = {name: np.zeros(length, dtype) for name, dtype in DTYPES.items()}
    columns["start_ms"][:] = UNKNOWN_TIME
    columns["end_ms"][:] = UNKNOWN_TIME
    columns["direction"][:] = Direction.UNKNOWN
    return FlowTable(**columns)


def concatenate(tables: Iterable[FlowTable]) -> FlowTable:
    """Rows of all tables, one after the other."""
    parts = list(tables)
    if not parts:
        return empty()
    if len(parts) == 1:
        return parts[0]
    return FlowTable(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in DTYPES}
    )


def from_arrow(table: pa.Table) -> FlowTable:
    """A `FlowTable` from an Arrow table that has these columns (others are ignored).

    Raises ``KeyError`` naming the columns that are missing and ``ValueError`` where one holds
    nulls or values that do not fit its type.
    """
    import pyarrow as pa

    missing = [name for name in DTYPES if name not in table.column_names]
    if missing:
        raise KeyError(f"columns missing: {', '.join(missing)}")
    columns: dict[str, NDArray[Any]] = {}
    for name, dtype in DTYPES.items():
        column = table.column(name)
        if column.null_count:
            raise ValueError(f"column {name} has {column.null_count} empty values")
        try:
            column = column.cast(pa.from_numpy_dtype(dtype))
        except pa.ArrowException as error:
            raise ValueError(f"column {name} does not fit {dtype}") from error
        columns[name] = np.ascontiguousarray(column.to_numpy())
    return FlowTable(**columns)


assert tuple(field.name for field in fields(FlowTable)) == tuple(DTYPES)  # one order, one truth
