"""SOAP 1.2 messages and the WS-UsernameToken digest, as ONVIF's core specification uses them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from lenswatch_sim.cameras import parse_moment

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "tt": "http://www.onvif.org/ver10/schema",
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "trc": "http://www.onvif.org/ver10/recording/wsdl",
    "tse": "http://www.onvif.org/ver10/search/wsdl",
    "trp": "http://www.onvif.org/ver10/replay/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "ter": "http://www.onvif.org/ver10/error",
    "tns1": "http://www.onvif.org/ver10/topics",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsnt": "http://docs.oasis-open.org/wsn/b-2",
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "xs": "http://www.w3.org/2001/XMLSchema",
}
FRESH_S = 300.0
"""Oldest and newest a token may be against the device's clock."""


class SoapError(ValueError):
    """A message that cannot be answered; ``subcode`` is ONVIF's name for why."""

    def __init__(self, subcode: str, reason: str, sender: bool = True) -> None:
        super().__init__(reason)
        self.subcode, self.reason, self.sender = subcode, reason, sender


@dataclass(frozen=True)
class Call:
    """A request: which operation of which service, and its arguments."""

    prefix: str
    """Key of :data:`NAMESPACES`."""
    operation: str
    arguments: ElementTree.Element
    token: ElementTree.Element | None
    """The UsernameToken of the security header."""

    def argument(self, name: str) -> str:
        """Text of the first descendant called ``name``, empty without one."""
        for element in self.arguments.iter():
            if element.tag.rpartition("}")[2] == name:
                return (element.text or "").strip()
        return ""


def parse(body: bytes) -> Call:
    """Raises :class:`SoapError` for what is no call."""
    # No document type means no entities, so that a small message stays small.
    if b"<!DOCTYPE" in body:
        raise SoapError("ter:WellFormed", "A document type is not allowed")
    try:
        envelope = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        raise SoapError("ter:WellFormed", "Not well-formed XML") from error
    content = envelope.find("s:Body", NAMESPACES)
    if content is None or len(content) != 1:
        raise SoapError("ter:WellFormed", "No SOAP 1.2 body with one element")
    name, _, operation = content[0].tag.removeprefix("{").rpartition("}")
    for prefix, namespace in NAMESPACES.items():
        if namespace == name:
            token = next(
                (e for e in envelope.iter() if e.tag.rpartition("}")[2] == "UsernameToken"), None
            )
            return Call(prefix, operation, content[0], token)
    raise SoapError("ter:ActionNotSupported", "This service is not offered")


def is_genuine(
    token: ElementTree.Element, user: str, password: str, now: datetime, seen: set[bytes]
) -> bool:
    """Whether a UsernameToken proves the password, is fresh, and was not ``seen`` before.

    OASIS Web Services Security UsernameToken Profile 1.0, section 3.1:
    digest = Base64(SHA-1(nonce + created + password)).
    """
    texts = {e.tag.rpartition("}")[2]: (e.text or "").strip() for e in token.iter()}
    try:
        nonce = base64.b64decode(texts["Nonce"], validate=True)
        given = base64.b64decode(texts["Password"], validate=True)
        created = parse_moment(texts["Created"])
    except (KeyError, ValueError, binascii.Error):
        return False
    if nonce in seen or abs((now - created).total_seconds()) > FRESH_S:
        return False
    mixed = nonce + texts["Created"].encode() + password.encode()
    wanted = hashlib.sha1(mixed, usedforsecurity=False).digest()
    if texts.get("Username") != user or not hmac.compare_digest(given, wanted):
        return False
    seen.add(nonce)
    return True


def envelope(body: str) -> bytes:
    """A finished message around ``body``."""
    names = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope {names}><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    ).encode()


def fault(error: SoapError) -> bytes:
    """A fault message, ONVIF core specification section 5.11.2."""
    code = "s:Sender" if error.sender else "s:Receiver"
    return envelope(
        f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{error.subcode}</s:Value>"
        f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="en">{escape(error.reason)}</s:Text>'
        "</s:Reason></s:Fault>"
    )
