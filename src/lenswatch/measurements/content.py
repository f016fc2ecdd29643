"""What a conversation carries and whether others could watch it, judged from the outside.

Media (video, pictures) is a conversation whose payload was recognised as such, or one with large
packets at a rate no control traffic has: mean packet of at least 400 bytes and at least 32 kbit/s
while it lasts. Infrastructure is name service, time, address assignment and discovery, as long as
it stays small.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from lenswatch.evidence.flows.table import Application
from lenswatch.measurements.conversations import Conversations


class Carries(IntEnum):
    """What a conversation carries, as far as its shape tells."""

    NOTHING = 0
    """No payload: refused or half-open connections."""
    INFRASTRUCTURE = 1
    """Name service, time, address assignment, discovery; broadcast and multicast."""
    CONTROL = 2
    """Some payload, but too little or too small for video or pictures."""
    MEDIA = 3
    """Video or pictures."""


MEDIA_PACKET_OCTETS = 400.0
"""Mean octets a packet from which a conversation can be media."""

MEDIA_BITS_PER_SECOND = 32_000.0
"""Rate while active from which it is; the slowest usable video is about twice this."""

MEDIA_OCTETS = 30_000.0
"""Least volume: one small picture."""

EMPTY_PACKET_OCTETS = 60.0
"""Mean octets a packet up to which TCP carried no payload (headers with options)."""

INFRASTRUCTURE_PORTS = (53, 67, 68, 123, 137, 138, 546, 547, 1900, 3702, 5353, 5355)
FLOW_EXPORT_PORTS = (514, 2055, 2056, 4739, 4740, 6343, 9555, 9995, 9996)
"""Where routers send flow records and logs: traffic of their own that is no copy of others'."""

INFRASTRUCTURE_BITS_PER_SECOND = 8_000.0
"""Above this, a conversation on such a port is a tunnel until somebody shows otherwise."""


class Transport(IntEnum):
    """Whether whoever forwards a conversation could watch it."""

    UNKNOWN = 0
    CLEAR = 1
    """A protocol in clear was recognised, or the service's port belongs to one."""
    ENCRYPTED = 2
    """TLS, DTLS, QUIC, SSH or an IPsec tunnel was recognised, or the port belongs to one."""


_CLEAR_APPLICATIONS = (
    Application.RTSP,
    Application.RTP,
    Application.HTTP,
    Application.GA1400,
    Application.ONVIF,
    Application.RTMP,
    Application.MPEGTS,
    Application.FTP,
)
_ENCRYPTED_APPLICATIONS = (
    Application.TLS,
    Application.QUIC,
    Application.DTLS,
    Application.SSH,
)
_CLEAR_PORTS = (20, 21, 80, 554, 1935, 5554, 8000, 8080, 8554)
_ENCRYPTED_PORTS = (22, 322, 443, 1936, 4500, 8322, 8443, 8883, 51820)
_ESP = 50

_MEDIA_APPLICATIONS = (
    Application.RTP,
    Application.RTMP,
    Application.MPEGTS,
    Application.SRT,
    Application.GA1400,
)


def classify(flows: Conversations) -> NDArray[np.uint8]:
    """What each conversation carries, as :class:`Carries`."""
    packet = flows.octets / np.maximum(flows.packets, 1.0)
    rate = flows.octets * 8000.0 / np.maximum(flows.active_ms, 1000.0)
    carries = np.full(len(flows.sender), Carries.CONTROL, np.uint8)
    media = (
        (packet >= MEDIA_PACKET_OCTETS)
        & (rate >= MEDIA_BITS_PER_SECOND)
        & (flows.octets >= MEDIA_OCTETS)
    )
    media |= np.isin(flows.application, [int(code) for code in _MEDIA_APPLICATIONS])
    carries[media] = Carries.MEDIA
    small = np.isin(flows.port, INFRASTRUCTURE_PORTS) & (rate <= INFRASTRUCTURE_BITS_PER_SECOND)
    small |= np.isin(flows.protocol, (1, 58)) & (rate <= INFRASTRUCTURE_BITS_PER_SECOND)  # ICMP
    carries[small] = Carries.INFRASTRUCTURE
    carries[(flows.protocol == 6) & (packet <= EMPTY_PACKET_OCTETS)] = Carries.NOTHING
    carries[_to_many(flows)] = Carries.INFRASTRUCTURE
    return carries


def transports(flows: Conversations) -> NDArray[np.uint8]:
    """Transport of each conversation, as :class:`Transport`; what was recognised beats a port."""
    transport = np.full(len(flows.sender), Transport.UNKNOWN, np.uint8)
    transport[np.isin(flows.port, _CLEAR_PORTS)] = Transport.CLEAR
    encrypted = np.isin(flows.port, _ENCRYPTED_PORTS) | (flows.protocol == _ESP)
    transport[encrypted] = Transport.ENCRYPTED
    clear = np.isin(flows.application, [int(code) for code in _CLEAR_APPLICATIONS])
    transport[clear] = Transport.CLEAR
    encrypted = np.isin(flows.application, [int(code) for code in _ENCRYPTED_APPLICATIONS])
    transport[encrypted] = Transport.ENCRYPTED
    return transport


def _to_many(flows: Conversations) -> NDArray[np.bool_]:
    """Conversations whose receiver is no host: multicast, broadcast, link-local discovery."""
    many = np.zeros(flows.vertices, np.bool_)
    for i in range(len(flows.endpoint_high)):
        address = ipaddress.IPv6Address(
            (int(flows.endpoint_high[i]) << 64) | int(flows.endpoint_low[i])
        )
        plain = address.ipv4_mapped or address
        broadcast = (
            plain.version == 4
            and int(plain) & 0xFF == 0xFF
            and (plain.is_private or plain.is_link_local)
            and not flows.answers[i]  # a subnet's broadcast address never answers; a host may
        )
        many[flows.nodes + i] = (
            plain.is_multicast or plain.is_unspecified or int(plain) == 0xFFFF_FFFF or broadcast
        )
    towards: NDArray[np.bool_] = many[flows.receiver]
    return towards


class Content(IntEnum):
    """Kinds of conversation whose chances are told apart by shape."""

    CONTROL = 0
    PICTURES = 1
    """Single pictures, sent when something happens: faces, snapshots."""
    VIDEO = 2


FEATURES = (
    "1", "log rate", "log rate²", "log packet", "activity", "log rate · activity", "pushed"
)  # fmt: skip
"""Terms of the model, see :func:`content_features`."""

_WEIGHTS = np.array(
    [
        [4.033, 0.433, -0.063, 7.098, 0.312, 0.141, 2.565],
        [4.845, 1.197, -0.132, 8.944, 2.016, 0.974, -0.852],
    ]
)
"""Log odds of pictures and of video against control, fitted by ``benchmarks/routing/content.py``
on simulated conversations."""


SMALLEST_PICTURE = 8_000.0
"""Octets below which a conversation held no picture of a face that could be told."""


def content_chances(flows: Conversations, carries: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Chances of each :class:`Content`, shape ``(conversations, 3)``; rows add up to 1.

    ``carries`` is what :func:`classify` says of them. What was recognised in the payload is
    certain; conversations without a payload or of infrastructure are control. Calibrated on
    simulated conversations only (docs/content.md).
    """
    small = (carries <= Carries.INFRASTRUCTURE) | (flows.octets < SMALLEST_PICTURE)
    chances = np.zeros((len(small), 3))
    chances[:, Content.CONTROL] = 1.0
    large = np.flatnonzero(~small)
    span = (flows.last_ms[large] - flows.first_ms[large]).astype(np.float64) / 1000.0
    active = flows.active_ms[large] / 1000.0
    chances[large] = content_scores(
        content_features(
            flows.octets[large],
            flows.packets[large],
            active,
            np.maximum(span, active),
            flows.pushed[large],
        ),
        _WEIGHTS,
    )
    videos = (Application.RTP, Application.RTMP, Application.MPEGTS, Application.SRT)
    chances[np.isin(flows.application, [int(code) for code in videos])] = np.eye(3)[Content.VIDEO]
    pushes = (flows.application == Application.GA1400) & ~small
    chances[pushes] = np.eye(3)[Content.PICTURES]
    return chances


def signalled(flows: Conversations, carries: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Media whose sender also speaks SIP: a GB/T 28181 session, whoever receives the media.

    Signalling and media of such a session go to different hosts, so they are joined by the sender.
    """
    sip = (flows.application == Application.SIP) | np.isin(flows.port, (5060, 5061))
    speaks = np.zeros(flows.vertices, np.bool_)
    speaks[flows.sender[sip]] = True
    speaks[flows.receiver[sip]] = True
    media: NDArray[np.bool_] = (carries == Carries.MEDIA) & ~sip & speaks[flows.sender]
    return media


def content_features(
    octets: NDArray[np.float64],
    packets: NDArray[np.float64],
    active_s: NDArray[np.float64],
    span_s: NDArray[np.float64],
    pushed: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Terms of the model, shape ``(n, features)``.

    Rate over the whole span, mean packet, share of the span with traffic, and whether the sender
    called the receiver's service, as who pushes does, rather than served it.
    """
    span = np.maximum(span_s, 1.0)
    rate = np.log(np.maximum(octets * 8.0 / span, 1.0) / 100e3)
    packet = np.log(np.maximum(octets, 1.0) / np.maximum(packets, 1.0) / 1000.0)
    activity = np.clip(active_s / span, 0.0, 1.0)
    return np.stack(
        [np.ones(len(rate)), rate, rate**2, packet, activity, rate * activity,
         pushed.astype(np.float64)],
        axis=1,
    )  # fmt: skip


def content_scores(
    features: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Multinomial logistic: chances of control and of each row of ``weights``."""
    odds = np.concatenate([np.zeros((len(features), 1)), features @ weights.T], axis=1)
    odds = np.exp(odds - odds.max(axis=1, keepdims=True))
    chances: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return chances
