"""Application numbers of exporters (NBAR, nDPI, YAF) as our `Application`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import Application

CISCO, NTOP, YAF = 1, 2, 3
"""Numbering in the scratch column: ``applicationId`` (RFC 6759), nDPI protocol, YAF label."""

PORTS = {
    554: Application.RTSP, 5060: Application.SIP, 5061: Application.SIP, 80: Application.HTTP,
    443: Application.TLS, 53: Application.DNS, 3478: Application.STUN, 1935: Application.RTMP,
    123: Application.NTP, 22: Application.SSH, 25: Application.SMTP, 21: Application.FTP,
    4789: Application.VXLAN, 37008: Application.TZSP,
}  # fmt: skip
"""IANA's well-known ports, which engine 3 of RFC 6759 and YAF's labels use as numbers."""

_NDPI = {
    50: Application.RTSP, 87: Application.RTP, 165: Application.RTCP, 100: Application.SIP,
    7: Application.HTTP, 91: Application.TLS, 5: Application.DNS, 78: Application.STUN,
    174: Application.RTMP, 188: Application.QUIC, 80: Application.GRE, 9: Application.NTP,
    92: Application.SSH, 3: Application.SMTP, 1: Application.FTP, 198: Application.MPEGTS,
}  # fmt: skip

_NAMES = {
    "rtsp": Application.RTSP, "rtp": Application.RTP, "rtp-video": Application.RTP,
    "rtp-audio": Application.RTP, "rtcp": Application.RTCP, "sip": Application.SIP,
    "http": Application.HTTP, "ssl": Application.TLS, "tls": Application.TLS,
    "secure-http": Application.TLS, "https": Application.TLS, "gre": Application.GRE,
    "vxlan": Application.VXLAN, "rtmp": Application.RTMP, "quic": Application.QUIC,
    "dns": Application.DNS, "stun": Application.STUN, "dtls": Application.DTLS,
    "ntp": Application.NTP, "ssh": Application.SSH, "smtp": Application.SMTP,
    "ftp": Application.FTP, "tzsp": Application.TZSP, "onvif": Application.ONVIF,
}  # fmt: skip
"""Names as exporters announce them in their application tables (elements 95 and 96)."""

MOST_NAMES = 65536
"""Announced names remembered per exporter."""


def by_name(name: str) -> int:
    """`Application` of an announced name, ``UNKNOWN`` for the thousands that are not video."""
    return int(_NAMES.get(name.strip().lower(), Application.UNKNOWN))


def resolve(
    identifiers: NDArray[np.uint64], numbering: int, announced: dict[int, int], length: int = 4
) -> NDArray[np.uint8]:
    """`Application` of each identifier.

    ``announced`` maps Cisco identifiers to applications, as the exporter's own table names them;
    ``length`` is the identifier's length on the wire.
    """
    unique, inverse = np.unique(identifiers, return_inverse=True)
    found = [_one(int(value), numbering, announced, length) for value in unique]
    return np.array(found, np.uint8)[inverse]


def _one(value: int, numbering: int, announced: dict[int, int], length: int) -> int:
    if numbering == NTOP:
        # the upper half is the master protocol where a field of four bytes holds both
        return int(_NDPI.get(value & 0xFFFF, _NDPI.get(value >> 16, Application.UNKNOWN)))
    if numbering == YAF:
        return int(PORTS.get(value, Application.UNKNOWN))
    if value in announced:
        return announced[value]
    shift = 8 * (min(length, 8) - 1)
    engine, selector = value >> shift, value & ((1 << shift) - 1)
    if engine == 3:
        return int(PORTS.get(selector, Application.UNKNOWN))
    if engine == 1 and selector == 47:
        return int(Application.GRE)
    return int(Application.UNKNOWN)
