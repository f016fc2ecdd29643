"""Tells what a file of flow evidence is, by its content and never by its name."""

from __future__ import annotations

from enum import StrEnum

from lenswatch_kernels.pcap import CLASSIC_MAGICS, NG_MAGIC


class Kind(StrEnum):
    """Kinds of files that hold flows."""

    CAPTURE = "pcap"
    RAW_EXPORT = "raw export"
    RAW_SFLOW = "raw sflow"
    ZEEK_TSV = "zeek tsv"
    ZEEK_JSON = "zeek json"
    NFDUMP_CSV = "nfdump csv"
    PARQUET = "parquet"
    COMPRESSED = "compressed"
    EMPTY = "empty"
    UNKNOWN = "unknown"


_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")

HEAD_BYTES = 4096
"""Bytes that are enough to tell."""


def kind_of(head: bytes) -> Kind:
    """Kind of the file that starts with ``head`` (up to `HEAD_BYTES` bytes of it)."""
    if not head:
        return Kind.EMPTY
    if head[:4] in CLASSIC_MAGICS or head[:4] == NG_MAGIC:
        return Kind.CAPTURE
    if head[:4] == b"PAR1":
        return Kind.PARQUET
    if head.startswith(_COMPRESSED):
        return Kind.COMPRESSED
    if head[:4] == b"\0\0\0\5" and head[4:8] in (b"\0\0\0\1", b"\0\0\0\2"):
        return Kind.RAW_SFLOW
    if len(head) >= 16 and int.from_bytes(head[:2], "big") in (1, 5, 7, 9, 10):
        return Kind.RAW_EXPORT
    return _text_kind(head)


def _text_kind(head: bytes) -> Kind:
    text = head.decode("utf-8", "replace").lstrip("\ufeff")
    if text.startswith("#separator") or ("#fields\t" in text and "id.orig_h" in text):
        return Kind.ZEEK_TSV
    first = text.split("\n", 1)[0].strip()
    if first.startswith("{") and ('"id.orig_h"' in first or '"orig_h"' in first):
        return Kind.ZEEK_JSON
    columns = {part.strip() for part in first.split(",")}
    if (
        {"sa", "da"} <= columns
        or {"srcAddr", "dstAddr"} <= columns
        or {"srcaddr", "dstaddr"} <= columns
    ):
        return Kind.NFDUMP_CSV
    return Kind.UNKNOWN
