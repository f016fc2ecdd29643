"""What a device says of itself over ONVIF, to hold against what it does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from lenswatch.evidence.recordings.onvif import parse_answer

_LARGEST = 4 << 20
_PRIVATE = ("color", "pixelated", "blurred")


@dataclass(frozen=True, slots=True)
class Claims:
    """The device's own answers, as far as they can be held against something."""

    answers: int
    """Answers that could be read."""
    unreadable: int
    masks: bool
    """Whether it says that a mask hides a part of its pictures."""
    largest_width: int
    """Of the profiles it offers, pixels; 0 where it offers none."""
    largest_height: int


def read_claims(folder: Path | None) -> Claims:
    """Read saved answers, one XML file each (Media and Media2, ``GetProfiles``, ``GetMasks``).

    None, or a folder that is not there, gives no answers.
    """
    answers = unreadable = width = height = 0
    masks = False
    for path in sorted(folder.glob("*.xml")) if folder is not None and folder.is_dir() else ():
        try:
            if path.stat().st_size > _LARGEST or not path.is_file():
                raise ValueError("no answer")
            root = parse_answer(path.read_bytes())
        except (OSError, ValueError):
            unreadable += 1
            continue
        answers += 1
        for element in root.iter():
            name = _local(element)
            if name == "Resolution":
                width = max(width, _number(element, "Width"))
                height = max(height, _number(element, "Height"))
            elif name == "Masks":
                enabled = _text(element, "Enabled").lower() == "true"
                masks = masks or (enabled and _text(element, "Type").lower() in _PRIVATE)
    return Claims(answers, unreadable, masks, width, height)


def _local(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _text(element: ET.Element, name: str) -> str:
    found = next((child for child in element.iter() if _local(child) == name), None)
    return (found.text or "").strip() if found is not None else ""


def _number(element: ET.Element, name: str) -> int:
    text = _text(element, name)
    return int(text) if text.isdecimal() and len(text) < 7 else 0
