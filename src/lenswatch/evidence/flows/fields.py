"""Every field of every record, by name: the slow and complete reading of a template.

The flow table keeps what an audit needs; this keeps all of it, options records too. Values are
Python integers, floats, strings: addresses and MACs in their usual text forms, times as RFC 3339
in UTC, opaque bytes as hexadecimal.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from lenswatch.evidence.flows.elements import V9_SCOPES, element
from lenswatch.evidence.flows.templates import PADDING, Template
from lenswatch_kernels.export_records import VARIABLE

Value = int | float | str | bool | list[int] | list[float] | list[str] | dict[str, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NTP_EPOCH = 2_208_988_800
_MOST_STRUCTURED = 4096


def records(template: Template, body: bytes) -> Iterator[dict[str, Value]]:
    """Decode the records of one data set, one mapping a record.

    Padding is not a record. A record that is cut is not given.
    """
    names = _names(template)
    least = template.minimum_length
    if least == 0:
        return
    at = 0
    varying = template.fixed_length == 0
    while len(body) - at >= least:
        if varying and not any(body[at:]):
            return  # zeros to the end are padding, although they read as empty strings
        record: dict[str, Value] = {}
        for item, (name, kind) in zip(template.fields, names, strict=True):
            length = item.length
            if length == VARIABLE:
                if at >= len(body):
                    return
                length = body[at]
                at += 1
                if length == 255:
                    if at + 2 > len(body):
                        return
                    length = int.from_bytes(body[at : at + 2], "big")
                    at += 2
            if at + length > len(body):
                return
            raw = body[at : at + length]
            at += length
            if item.enterprise == 0 and item.id == PADDING:
                continue
            if item.length == 0:
                continue
            _store(record, name, render(raw, kind))
        yield record


def _names(template: Template) -> list[tuple[str, str]]:
    result = []
    for item in template.fields:
        if item.scope and template.version == 9:
            result.append((V9_SCOPES.get(item.id, f"scope{item.id}"), "scope"))
        else:
            known = element(item.enterprise, item.id)
            result.append((known.name, known.type))
    return result


def _store(record: dict[str, Value], name: str, value: Value) -> None:
    """Keep a repeated element as a list, in the order of the record."""
    if name not in record:
        record[name] = value
        return
    before = record[name]
    if isinstance(before, list):
        before.append(value)  # type: ignore[arg-type]
    else:
        record[name] = [before, value]  # type: ignore[assignment]


def render(raw: bytes, kind: str) -> Value:
    """One value by its abstract data type; by its look where the type does not fit."""
    length = len(raw)
    if kind.startswith("unsigned") or kind == "scope":
        return int.from_bytes(raw, "big") if length <= 8 else raw.hex()
    if kind.startswith("signed"):
        return int.from_bytes(raw, "big", signed=True) if length <= 8 else raw.hex()
    if kind == "ipv4Address" and length == 4:
        return str(ipaddress.IPv4Address(raw))
    if kind == "ipv6Address" and length == 16:
        return str(ipaddress.IPv6Address(raw))
    if kind == "macAddress" and length == 6:
        return raw.hex(":")
    if kind == "string":
        text = raw.rstrip(b"\0")
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            return text.decode("latin-1")  # keeps every byte
    if kind == "boolean" and length == 1:
        return {1: True, 2: False}.get(raw[0], raw[0])  # RFC 7011 section 6.1.5
    if kind in ("float32", "float64") and length in (4, 8):
        return float(struct.unpack(">f" if length == 4 else ">d", raw)[0])
    if kind.startswith("dateTime"):
        return _time(raw, kind)
    if kind == "applicationId" and length >= 2:
        return _application(raw)
    if kind == "asaAclId" and length == 12:
        return "-".join(raw[at : at + 4].hex() for at in (0, 4, 8))
    if kind in ("basicList", "subTemplateList", "subTemplateMultiList"):
        return _structured(raw, kind)
    if kind in ("ipv4Address", "ipv6Address", "macAddress") and length <= 8:
        return int.from_bytes(raw, "big")
    if kind == "unknown":
        return _by_look(raw)
    return raw.hex()


def _by_look(raw: bytes) -> Value:
    """An element nobody described: a number of a usual size, text if it reads as text, or hex."""
    if len(raw) in (1, 2, 3, 4, 8):
        return int.from_bytes(raw, "big")
    text = raw.rstrip(b"\0")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        return raw.hex()
    return decoded if decoded.isprintable() else raw.hex()


def _time(raw: bytes, kind: str) -> Value:
    value = int.from_bytes(raw, "big")
    try:
        if kind == "dateTimeSeconds":
            return _rfc3339(value * 1_000_000, "seconds")
        if kind == "dateTimeMilliseconds":
            return _rfc3339(value * 1000, "milliseconds")
        if len(raw) != 8:
            return value
        seconds, fraction = (value >> 32) - _NTP_EPOCH, value & 0xFFFFFFFF
        if seconds < 0:
            # some exporters send plain counts since 1970 under the NTP types
            micro = value if value < 10**17 else value // 1000
            return _rfc3339(micro, "microseconds")
        return _rfc3339(seconds * 1_000_000 + (fraction * 1_000_000 >> 32), "microseconds")
    except OverflowError:
        return value


def _rfc3339(microseconds: int, precision: str) -> str:
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _application(raw: bytes) -> str:
    """Classification engine and selector (RFC 6759 section 4); engine 20 names an enterprise."""
    engine = raw[0]
    if engine == 20 and len(raw) > 5:
        enterprise = int.from_bytes(raw[1:5], "big")
        return f"20:{enterprise}:{int.from_bytes(raw[5:], 'big')}"
    return f"{engine}:{int.from_bytes(raw[1:], 'big')}"


def _structured(raw: bytes, kind: str) -> Value:
    """The elements of a ``basicList`` (RFC 6313); other structured data as hexadecimal."""
    if kind != "basicList" or len(raw) < 5:
        return raw.hex()
    identifier = int.from_bytes(raw[1:3], "big")
    length = int.from_bytes(raw[3:5], "big")
    at, enterprise = 5, 0
    if identifier & 0x8000:
        if len(raw) < 9:
            return raw.hex()
        enterprise, identifier, at = int.from_bytes(raw[5:9], "big"), identifier & 0x7FFF, 9
    kind_of = element(enterprise, identifier).type
    values: list[Value] = []
    while at < len(raw) and len(values) < _MOST_STRUCTURED:
        size = length
        if length == VARIABLE:
            size = raw[at]
            at += 1
            if size == 255:
                size = int.from_bytes(raw[at : at + 2], "big")
                at += 2
        if size == 0 and length != VARIABLE:
            break
        if at + size > len(raw):
            return raw.hex()
        values.append(render(raw[at : at + size], kind_of))
        at += size
    return values  # type: ignore[return-value]
