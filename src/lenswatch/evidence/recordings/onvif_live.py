"""Asking ONVIF devices that a scope file names. SOAP 1.2 over HTTP, with a digest of the password.

The scope file is YAML::

    devices:
      - url: http://192.0.2.10/onvif/device_service
        user: audit

The password is in ``LENSWATCH_ONVIF_PASSWORD``. Nobody's password is guessed: a device that refuses
once is not asked again. Only services at the host that the file names are followed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from lenswatch.documents import read_document
from lenswatch.errors import EvidenceError
from lenswatch.evidence.live_scope import opener
from lenswatch.evidence.recordings.artefacts import StoreReading
from lenswatch.model import sentence

__all__ = ["PASSWORD_VARIABLE", "ask"]

PASSWORD_VARIABLE: Final = "LENSWATCH_ONVIF_PASSWORD"  # noqa: S105  (a name, not a password)
_TIMEOUT: Final = 10
_LARGEST: Final = 16 << 20
_MOST_PAGES: Final = 200
_SEARCH = "http://www.onvif.org/ver10/search/wsdl"
_RECORDING = "http://www.onvif.org/ver10/recording/wsdl"
_MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_SECURITY = (
    '<s:Header><w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-'
    'wssecurity-secext-1.0.xsd" xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-'
    'wssecurity-utility-1.0.xsd"><w:UsernameToken><w:Username>{user}</w:Username><w:Password Type='
    '"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0'
    '#PasswordDigest">{digest}</w:Password><w:Nonce>{nonce}</w:Nonce><u:Created>{created}'
    "</u:Created></w:UsernameToken></w:Security></s:Header>"
)


def ask(reading: StoreReading, root: Path) -> Iterator[tuple[str, bytes]]:
    """The answers of every device that the store's scope file names.

    Raises :class:`EvidenceError` for a scope file that is missing or names nobody.
    """
    store = reading.store
    described = store.described(store.scope)
    try:
        document = read_document(store.file(root, store.scope))
    except OSError as error:
        raise EvidenceError(
            sentence(
                "the scope file cannot be opened ({why})",
                why=sentence(error.strerror or "I/O error"),
            ),
            file=described,
            remedy="write one that names the devices which may be asked",
        ) from None
    content = document.content if isinstance(document.content, dict) else {}
    devices = content.get("devices")
    if not isinstance(devices, list) or not devices:
        raise EvidenceError(
            "names no device", file=described, remedy="add devices: [{url: http://...}]", line=1
        )
    for number, device in enumerate(devices):
        url = device.get("url") if isinstance(device, dict) else None
        line = document.line_of("devices", number)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            reading.problem(described, "a device without an http address", "add url", line=line)
            continue
        try:
            yield from _device(
                url, str(device.get("user") or ""), f"device {number + 1} of {described}"
            )
        except (OSError, ValueError) as error:
            code = getattr(error, "code", None)
            kind = f"HTTP {code}" if code else type(error).__name__
            reading.problem(
                described,
                sentence("the device cannot be asked ({kind})", kind=kind),
                sentence("check its address, user and {variable}", variable=PASSWORD_VARIABLE),
                line=line,
            )


def _device(url: str, user: str, described: str) -> Iterator[tuple[str, bytes]]:
    from lenswatch.evidence.recordings.onvif import _local, _text, parse_answer

    services = parse_answer(
        _call(url, user, f'<GetServices xmlns="{_DEVICE}"><IncludeCapability>false'
              "</IncludeCapability></GetServices>")
    )  # fmt: skip
    addresses = {}
    for service in services.iter():
        if _local(service) == "Service":
            address = _text(service, "XAddr")
            # a device may name another host: that one is not in the scope
            if urlsplit(address).hostname == urlsplit(url).hostname:
                addresses[_text(service, "Namespace")] = address
    if _RECORDING in addresses:
        body = f'<GetRecordings xmlns="{_RECORDING}"/>'
        yield described, _call(addresses[_RECORDING], user, body)
    if _SEARCH in addresses:
        search = addresses[_SEARCH]
        yield described, _call(search, user, f'<GetRecordingSummary xmlns="{_SEARCH}"/>')
        begun = _call(search, user, f'<FindRecordings xmlns="{_SEARCH}"><Scope/>'
                      "<KeepAliveTime>PT1M</KeepAliveTime></FindRecordings>")  # fmt: skip
        token = _text(parse_answer(begun), "SearchToken")
        for _ in range(_MOST_PAGES if token else 0):
            page = _call(search, user, f'<GetRecordingSearchResults xmlns="{_SEARCH}"><SearchToken>'
                         f"{escape(token)}</SearchToken><WaitTime>PT5S</WaitTime>"
                         "</GetRecordingSearchResults>")  # fmt: skip
            yield described, page
            if _text(parse_answer(page), "SearchState") == "Completed":
                break
    if _MEDIA2 in addresses:
        yield described, _call(addresses[_MEDIA2], user, f'<GetMasks xmlns="{_MEDIA2}"/>')


_OPENER = opener()


def _call(url: str, user: str, body: str) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("not an http address")
    text = (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope '
        f'xmlns:s="http://www.w3.org/2003/05/soap-envelope">{_header(user)}<s:Body>{body}</s:Body>'
        "</s:Envelope>"
    )
    request = urllib.request.Request(  # noqa: S310  (the scheme was checked)
        url, text.encode(), {"Content-Type": "application/soap+xml; charset=utf-8"}
    )
    with _OPENER.open(request, timeout=_TIMEOUT) as answer:
        content: bytes = answer.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("the answer is too long")
    return content


def _header(user: str) -> str:
    """WS-Security UsernameToken Profile 1.0: digest = SHA-1(nonce + created + password)."""
    if not user:
        return ""
    nonce = secrets.token_bytes(16)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    digest = hashlib.sha1(nonce + created.encode() + password.encode()).digest()  # noqa: S324
    return _SECURITY.format(
        user=escape(user),
        digest=base64.b64encode(digest).decode(),
        nonce=base64.b64encode(nonce).decode(),
        created=created,
    )
