"""What a device hears from the world that the harness plays to it.

Every name exists, every connection is accepted, TLS is spoken to whoever begins it, HTTP and RTSP
requests succeed. A device that uploads must be let upload: a refused connection would hide what it
was about to send.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_LONGEST_HEAD = 65_536
_KNOWN = IPv4Address("10.78.0.0")
_UNKNOWN = IPv4Address("10.79.0.0")
_MOST_NAMES = 60_000


@dataclass(slots=True)
class NameService:
    """Answers every question for an address (RFC 1035), each name always with the same one."""

    declared: Mapping[str, str]
    """Host name to the address that the harness gives it."""
    asked: dict[str, str] = field(default_factory=dict)
    """Every name that was asked for, and its address."""

    def answer(self, question: bytes) -> bytes:
        """The answer to one message; empty for what is no question."""
        parsed = self._question(question)
        if parsed is None:
            return b""
        name, kind, end = parsed
        head = struct.pack("!2sHHHHH", question[:2], 0x8180, 1, 1 if kind == 1 else 0, 0, 0)
        if kind != 1:
            return head + question[12:end]
        address = self._address(name)
        record = struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, ip_address(address).packed)
        return head + question[12:end] + record

    def _question(self, message: bytes) -> tuple[str, int, int] | None:
        if len(message) < 17 or message[2] & 0x80 or message[4:6] != b"\0\1":
            return None
        labels, place = [], 12
        while place < len(message) and message[place]:
            size = message[place]
            if size > 63 or place + 1 + size >= len(message):
                return None
            labels.append(message[place + 1 : place + 1 + size])
            place += 1 + size
        if place + 5 > len(message):
            return None
        name = b".".join(labels).decode("ascii", "replace").lower()
        return name, struct.unpack_from("!H", message, place + 1)[0], place + 5

    def _address(self, name: str) -> str:
        if name not in self.asked:
            unknown = len(self.asked) % _MOST_NAMES + 1
            self.asked[name] = self.declared.get(name, str(_UNKNOWN + unknown))
        return self.asked[name]


def declared_names(hosts: list[str]) -> dict[str, str]:
    """Addresses for host names that a device declares."""
    return {name.lower().rstrip("."): str(_KNOWN + i + 1) for i, name in enumerate(hosts)}


class Authority:
    """Certificates for whichever name or address a device calls, under one root of this run."""

    def __init__(self, folder: Path) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding

        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, "lenswatch harness, for this run only")]
        )
        root = self._sign(self._name, self._key.public_key(), None)
        self.root = folder / "root.pem"
        """What the device is told to trust."""
        self.root.write_bytes(root.public_bytes(Encoding.PEM))
        self._contexts: dict[str, ssl.SSLContext] = {}

    def _sign(
        self, name: x509.Name, public: ec.EllipticCurvePublicKey, host: str | None
    ) -> x509.Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256

        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            # a device whose clock was set forward must still find it valid
            .not_valid_after(now + timedelta(days=4000))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is None:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            try:
                alternative: x509.GeneralName = x509.IPAddress(ip_address(host))
            except ValueError:
                alternative = x509.DNSName(host)
            builder = builder.add_extension(
                x509.SubjectAlternativeName([alternative]), critical=False
            )
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public), critical=False
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
            critical=False,
        )
        return builder.sign(self._key, SHA256())

    def context(self, host: str) -> ssl.SSLContext:
        """A server's side of TLS for one name or address; others follow the client's wish."""
        if host in self._contexts:
            return self._contexts[host]
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:60])])
        certificate = self._sign(name, key.public_key(), host)
        path = self._folder / f"{len(self._contexts)}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)

        def wanted(socket: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name is not None and name != host:
                socket.context = self.context(name)

        context.sni_callback = wanted
        self._contexts[host] = context
        return context


class Conversation:
    """The far side of one connection: takes everything, and says what keeps a client going."""

    def __init__(self, authority: Authority, host: str) -> None:
        self._authority = authority
        self._host = host
        self._secure: _Secure | None = None
        self._begun = False
        self._requests = _Requests()
        self.finished = False
        """Whether this side has no more to say and closes."""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what to send back."""
        if not self._begun:
            self._begun = True
            if data[:2] == b"\x16\x03":
                self._secure = _Secure(self._authority.context(self._host))
        if self._secure is None:
            return self._requests.receive(data)
        try:
            plain = self._secure.receive(data)
            if plain:
                self._secure.send(self._requests.receive(plain))
        except ssl.SSLError:
            # the client trusts other roots than ours: it has shown whom it calls, that is all
            self.finished = True
        return self._secure.pending()


class _Secure:
    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._socket = context.wrap_bio(self._in, self._out, server_side=True)
        self._ready = False

    def receive(self, data: bytes) -> bytes:
        self._in.write(data)
        plain = []
        try:
            if not self._ready:
                self._socket.do_handshake()
                self._ready = True
            while chunk := self._socket.read(65_536):
                plain.append(chunk)
        except ssl.SSLWantReadError:
            pass
        return b"".join(plain)

    def send(self, data: bytes) -> None:
        if data:
            self._socket.write(data)

    def pending(self) -> bytes:
        return self._out.read()


class _Requests:
    """Answers HTTP and RTSP requests with success; is silent to anything else."""

    def __init__(self) -> None:
        self._head = b""
        self._body = 0
        self._other = False
        self._chunked = b""
        self._in_chunks = False

    def receive(self, data: bytes) -> bytes:
        out = b""
        while data and not self._other:
            if self._in_chunks:
                out += self._chunks(data)
                return out
            if self._body:
                taken = min(self._body, len(data))
                self._body -= taken
                data = data[taken:]
                if not self._body:
                    out += self._success()
                continue
            self._head += data
            data = b""
            if not _is_request(self._head):
                self._other = True
            elif b"\r\n\r\n" in self._head:
                head, _, data = self._head.partition(b"\r\n\r\n")
                self._head = b""
                out += self._begin(head)
            elif len(self._head) > _LONGEST_HEAD:
                self._other = True
        return out

    def _begin(self, head: bytes) -> bytes:
        lines = head.decode("latin-1").split("\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self._version = "RTSP/1.0" if "RTSP/" in lines[0] else "HTTP/1.1"
        self._extra = [
            f"{name}: {fields[key]}"
            for key, name in (("cseq", "CSeq"), ("transport", "Transport"))
            if self._version == "RTSP/1.0" and key in fields
        ]
        if self._version == "RTSP/1.0":
            self._extra.append("Session: 1")
        length = fields.get("content-length", "0")
        self._body = int(length) if length.isdecimal() and len(length) < 16 else 0
        self._in_chunks = "chunked" in fields.get("transfer-encoding", "").lower()
        more = (
            b"HTTP/1.1 100 Continue\r\n\r\n" if "100-continue" in fields.get("expect", "") else b""
        )
        return more if self._body or self._in_chunks else more + self._success()

    def _chunks(self, data: bytes) -> bytes:
        """A body of unknown length ends with an empty chunk."""
        self._chunked = (self._chunked + data)[-5:]
        if self._chunked.endswith(b"0\r\n\r\n"):
            self._in_chunks, self._chunked = False, b""
            return self._success()
        return b""

    def _success(self) -> bytes:
        lines = [f"{self._version} 200 OK", *self._extra, "Content-Length: 0", "", ""]
        return "\r\n".join(lines).encode("latin-1")


def _is_request(head: bytes) -> bool:
    word = head.split(b" ", 1)[0]
    return len(word) <= 20 and word.replace(b"_", b"").isalpha() and word.isupper()
