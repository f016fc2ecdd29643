"""SIP messages as GB/T 28181-2022 uses them: registration, keep-alive, catalogue, play.

RFC 3261 (SIP), RFC 2617 (digest, without quality of protection, as devices of this standard do).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lenswatch_sim.protocols import gb_identity

PORT = 5060
AGENT = "lenswatch simulator"


@dataclass(frozen=True)
class Message:
    """A request or an answer; header names are in lower case."""

    first: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def method(self) -> str:
        """REGISTER, MESSAGE, INVITE, ACK or BYE; for an answer, what it answers."""
        return self.headers.get("cseq", " ").split()[-1] if self.status else self.first.split()[0]

    @property
    def status(self) -> int:
        """Status of an answer, 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/") else 0

    @property
    def sender(self) -> str:
        """Number of the node in ``From``."""
        return identity_of(self.headers.get("from", ""))

    @property
    def addressee(self) -> str:
        """Number of the node in the request's line."""
        return identity_of(self.first)

    def element(self, name: str) -> str:
        """Text of the first element called ``name`` in an XML body, empty without one."""
        found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), self.body)
        return found.group(1).decode("gb2312", "replace") if found else ""


def parse(data: bytes) -> Message:
    """Raises ``ValueError`` for what is no SIP message."""
    head, separator, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not separator or "SIP/2.0" not in lines[0] or len(lines[0].split()) < 3:
        raise ValueError("not a SIP message")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if "cseq" not in headers or "call-id" not in headers:
        raise ValueError("a SIP message without CSeq or Call-ID")
    return Message(lines[0], headers, body)


def identity_of(text: str) -> str:
    """The node number in a SIP address."""
    found = re.search(r"sip:([^@;>\s]+)", text)
    return found.group(1) if found else ""


@dataclass(frozen=True)
class Party:
    """One side of a dialogue."""

    identity: str
    host: str
    port: int = PORT

    @property
    def domain(self) -> str:
        """SIP domain."""
        return gb_identity.domain(self.identity)


def request(
    method: str,
    sender: Party,
    to: Party,
    call_id: str,
    number: int,
    extra: Iterable[str] = (),
    body: str = "",
    content_type: str = "",
) -> bytes:
    """A finished request; ``number`` is its CSeq."""
    branch = hashlib.sha256(f"{call_id}{method}{number}".encode()).hexdigest()[:12]
    own = f"sip:{sender.identity}@{sender.domain}"
    # A registration is about the sender's own address.
    about = own if method == "REGISTER" else f"sip:{to.identity}@{to.domain}"
    lines = [
        f"{method} sip:{to.identity}@{to.domain} SIP/2.0",
        f"Via: SIP/2.0/UDP {sender.host}:{sender.port};rport;branch=z9hG4bK{branch}",
        f"From: <{own}>;tag={_tag(sender.identity, call_id)}",
        f"To: <{about}>",
        f"Call-ID: {call_id}",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
        f"User-Agent: {AGENT}",
        *extra,
    ]
    return _finish(lines, body, content_type)


def answer(
    asked: Message,
    status: str,
    own: str = "",
    extra: Iterable[str] = (),
    body: str = "",
    content_type: str = "",
) -> bytes:
    """The answer to a request, such as ``200 OK``; ``own`` is the answering node."""
    to = asked.headers.get("to", "")
    if "tag=" not in to and not status.startswith("100"):
        to += f";tag={_tag(own, asked.headers['call-id'])}"
    lines = [
        f"SIP/2.0 {status}",
        f"Via: {asked.headers.get('via', '')}",
        f"From: {asked.headers.get('from', '')}",
        f"To: {to}",
        f"Call-ID: {asked.headers['call-id']}",
        f"CSeq: {asked.headers['cseq']}",
        f"User-Agent: {AGENT}",
        *extra,
    ]
    return _finish(lines, body, content_type)


def _tag(identity: str, call_id: str) -> str:
    return hashlib.sha256(f"{identity}/{call_id}".encode()).hexdigest()[:10]


def _finish(lines: list[str], body: str, content_type: str) -> bytes:
    content = body.encode("gb2312", "replace")
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


# registration


def register(
    device: Party, platform: Party, call_id: str, number: int, proof: str = "", expires: int = 3600
) -> bytes:
    """REGISTER, with ``proof`` (an Authorization line) from the second time on."""
    contact = f"Contact: <sip:{device.identity}@{device.host}:{device.port}>"
    extra = [contact, f"Expires: {expires}", *([proof] if proof else [])]
    return request("REGISTER", device, platform, call_id, number, extra)


def challenge(asked: Message, platform: Party, nonce: str) -> bytes:
    """401 with a digest challenge."""
    line = f'WWW-Authenticate: Digest realm="{platform.domain}",nonce="{nonce}",algorithm=MD5'
    return answer(asked, "401 Unauthorized", platform.identity, [line])


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _response(user: str, realm: str, password: str, nonce: str, method: str, uri: str) -> str:
    return _md5(f"{_md5(f'{user}:{realm}:{password}')}:{nonce}:{_md5(f'{method}:{uri}')}")


def proof(challenged: Message, device: Party, platform: Party, password: str) -> str:
    """Authorization line that answers a 401."""
    told = _parameters(challenged.headers.get("www-authenticate", ""))
    realm, nonce = told.get("realm", ""), told.get("nonce", "")
    uri = f"sip:{platform.identity}@{platform.domain}"
    response = _response(device.identity, realm, password, nonce, "REGISTER", uri)
    return (
        f'Authorization: Digest username="{device.identity}",realm="{realm}",nonce="{nonce}",'
        f'uri="{uri}",response="{response}",algorithm=MD5'
    )


def is_proven(asked: Message, realm: str, password: str, nonce: str) -> bool:
    """Whether a REGISTER proves the password for ``nonce``."""
    told = _parameters(asked.headers.get("authorization", ""))
    if told.get("nonce") != nonce or told.get("username") != asked.sender:
        return False
    uri = told.get("uri", "")
    wanted = _response(asked.sender, realm, password, nonce, "REGISTER", uri)
    return hmac.compare_digest(wanted, told.get("response", ""))


def _parameters(line: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="?([^",]*)"?', line.partition(" ")[2]))


# messages

XML = "Application/MANSCDP+xml"
_XML_HEAD = '<?xml version="1.0" encoding="GB2312"?>\r\n'


def keepalive(device: Party, platform: Party, call_id: str, number: int, serial: int) -> bytes:
    """Sign of life of a device."""
    body = (
        f"{_XML_HEAD}<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>{serial}</SN>\r\n"
        f"<DeviceID>{device.identity}</DeviceID>\r\n<Status>OK</Status>\r\n</Notify>\r\n"
    )
    return request("MESSAGE", device, platform, call_id, number, body=body, content_type=XML)


def catalog_query(platform: Party, device: Party, call_id: str, number: int, serial: int) -> bytes:
    """Asks a device what it has."""
    body = (
        f"{_XML_HEAD}<Query>\r\n<CmdType>Catalog</CmdType>\r\n<SN>{serial}</SN>\r\n"
        f"<DeviceID>{device.identity}</DeviceID>\r\n</Query>\r\n"
    )
    return request("MESSAGE", platform, device, call_id, number, body=body, content_type=XML)


@dataclass(frozen=True)
class Item:
    """One channel of a catalogue."""

    identity: str
    name: str
    maker: str
    model: str
    parent: str
    address: str


def catalog_part(
    device: Party, platform: Party, call_id: str, number: int, serial: int, total: int, item: Item
) -> bytes:
    """One item of a catalogue of ``total``: devices send them one by one."""
    fields = {
        "DeviceID": item.identity,
        "Name": item.name,
        "Manufacturer": item.maker,
        "Model": item.model,
        "Owner": "Owner",
        "CivilCode": item.identity[:6],
        "Address": item.address,
        "Parental": "0",
        "ParentID": item.parent,
        "SafetyWay": "0",
        "RegisterWay": "1",
        "Secrecy": "0",
        "IPAddress": item.address,
        "Status": "ON",
    }
    inside = "".join(f"<{name}>{escape(text)}</{name}>\r\n" for name, text in fields.items())
    body = (
        f"{_XML_HEAD}<Response>\r\n<CmdType>Catalog</CmdType>\r\n<SN>{serial}</SN>\r\n"
        f"<DeviceID>{device.identity}</DeviceID>\r\n<SumNum>{total}</SumNum>\r\n"
        f'<DeviceList Num="1">\r\n<Item>\r\n{inside}</Item>\r\n</DeviceList>\r\n</Response>\r\n'
    )
    return request("MESSAGE", device, platform, call_id, number, body=body, content_type=XML)


# play


@dataclass(frozen=True)
class Session:
    """A session description: where media goes, how, and under which SSRC."""

    identity: str
    host: str
    port: int
    tcp: bool
    source: int
    """SSRC: ten digits, the first 0 for live."""
    name: str = "Play"

    def text(self, direction: str) -> str:
        """SDP with the lines that GB/T 28181 adds; ``direction`` is recvonly or sendonly."""
        way = "TCP/RTP/AVP" if self.tcp else "RTP/AVP"
        lines = [
            "v=0",
            f"o={self.identity} 0 0 IN IP4 {self.host}",
            f"s={self.name}",
            f"c=IN IP4 {self.host}",
            "t=0 0",
            f"m=video {self.port} {way} 96",
            f"a={direction}",
            "a=rtpmap:96 PS/90000",
        ]
        if self.tcp:
            lines.append(f"a=setup:{'passive' if direction == 'recvonly' else 'active'}")
            lines.append("a=connection:new")
        return "\r\n".join([*lines, f"y={self.source:010d}"]) + "\r\n"


def session_of(body: bytes) -> Session:
    """Read a session description. Raises ``ValueError``."""
    text = body.decode("latin-1")
    where = re.search(r"^c=IN IP4 (\S+)", text, re.M)
    media = re.search(r"^m=video (\d{1,5}) (\S+)", text, re.M)
    source = re.search(r"^y=(\d{1,10})", text, re.M)
    if not (where and media and source):
        raise ValueError("a session description without address, media or SSRC")
    origin = re.search(r"^o=(\S+)", text, re.M)
    return Session(
        origin.group(1) if origin else "",
        where.group(1),
        int(media.group(1)),
        media.group(2).startswith("TCP"),
        int(source.group(1)),
    )


SDP = "Application/SDP"


def invite(platform: Party, channel: Party, call_id: str, number: int, session: Session) -> bytes:
    """Asks for a channel's live picture."""
    subject = f"Subject: {channel.identity}:{session.source:010d},{platform.identity}:0"
    contact = f"Contact: <sip:{platform.identity}@{platform.host}:{platform.port}>"
    return request(
        "INVITE",
        platform,
        channel,
        call_id,
        number,
        [contact, subject],
        session.text("recvonly"),
        SDP,
    )
