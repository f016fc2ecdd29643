"""Names and their times, one name and one character at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)


def name_hash(name: bytes, *, digits_alike: bool) -> int:
    """FNV-1a over the bytes, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in name:
        shown = ord("0") if digits_alike and chr(byte) in "0123456789" else byte
        value = ((value ^ shown) * 0x100000001B3) % 2**64
    return value


def layout(name: bytes) -> bytes:
    """The name with all digits alike."""
    return bytes(ord("0") if chr(byte) in "0123456789" else byte for byte in name)


def read_time(name: bytes, known: bytes, places: list[int]) -> int | None:
    """Microseconds since 1970, None where the name has another layout or no time."""
    if layout(name) != layout(known):
        return None
    text = name.decode("latin-1")
    year, month, day, hour, minute, second = (
        int(text[place : place + width])
        for place, width in zip(places[:6], (4, 2, 2, 2, 2, 2), strict=True)
    )
    if hour > 23 or minute > 59 or second > 59 or year < 1970:
        return None
    try:
        midnight = datetime(year, month, day)
    except ValueError:
        return None
    fraction = int(text[places[6] : places[6] + places[7]].ljust(6, "0") or 0) if places[7] else 0
    since = midnight - EPOCH + timedelta(hours=hour, minutes=minute, seconds=second)
    return since // timedelta(microseconds=1) + fraction
