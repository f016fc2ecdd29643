"""Node numbers of GB/T 28181: region (8 digits), industry (2), type (3), network, serial (6)."""

from __future__ import annotations

_TYPES = {"camera": 132, "recorder": 118, "platform": 200}


def platform() -> str:
    """The city's central platform."""
    return f"5001000000{_TYPES['platform']}0000001"


def recorder(district: int) -> str:
    """A district's recorder, which is the lower platform of its cameras."""
    return f"{region(district)}00{_TYPES['recorder']}0000001"


def camera(district: int, number: int) -> str:
    """Camera ``number`` of the city."""
    return f"{region(district)}00{_TYPES['camera']}0{number:06d}"


def region(district: int) -> str:
    """Administrative code of a district, below the city's."""
    return f"5001{district % 99 + 1:02d}00"


def domain(identity: str) -> str:
    """SIP domain of a node: the first ten digits of its number."""
    return identity[:10]
