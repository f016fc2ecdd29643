"""What a clip as a whole shows of faces and masks, summed up from its frames' truth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from statistics import median
from typing import Any

Head = dict[str, Any]

_FOLLOWED_FRAMES = 5
"""Frames in which a mask is large and whole, from which one can be followed."""


def unmasked(head: Head) -> bool:
    """Whether nothing covers the face in this frame."""
    return bool(head["mask"] in ("none", "leaked"))


def clear(head: Head) -> bool:
    """Whether an unmasked face shows clearly.

    At least 24 pixels high, turned by at most 60 degrees, at least 80 % visible and inside the
    picture, not behind fog that leaves less than half of the contrast, and smeared by at most 15 %
    of its height.
    """
    height = head["box"][3]
    return bool(
        unmasked(head)
        and height >= 24
        and abs(head["yaw_deg"]) <= 60
        and head["visible"] >= 0.8
        and head["in_frame"] >= 0.8
        and head["contrast"] >= 0.5
        and head["smear_px"] <= 0.15 * height
    )


def doubtful(head: Head) -> bool:
    """Whether an unmasked face is not clear, but one that a good detector may find.

    At least 12 pixels high, turned by at most 90 degrees and a third visible.
    """
    return bool(
        unmasked(head)
        and not clear(head)
        and head["box"][3] >= 12
        and abs(head["yaw_deg"]) <= 90
        and head["visible"] > 1 / 3
    )


def eyes_px(head: Head) -> float:
    """Distance between the eyes in the picture, whoever sees them."""
    (x0, y0, _), (x1, y1, _) = head["eyes"]
    return math.hypot(x1 - x0, y1 - y0)


def summarise(
    node_id: str, lines: list[dict[str, Any]], peopled: bool, method: str
) -> dict[str, Any]:
    """Counts over all frames, what the clip shows, and the extremes that verdicts hang on."""
    heads = [head for line in lines for head in line["heads"]]
    seen_clearly = [head for head in heads if clear(head)]
    vaguely = [head for head in heads if doubtful(head)]
    masked = sum(not unmasked(head) for head in heads)
    if seen_clearly:
        shows = "captured"
    elif masked:
        shows = "masked"
    else:
        shows = "not-observable" if heads else "nobody"
    frontal = [eyes_px(head) for head in seen_clearly if abs(head["yaw_deg"]) <= 20]
    possible = [eyes_px(head) for head in seen_clearly + vaguely]
    persons = list(_persons(lines))
    leaks = [leak for track in persons for leak in _leaks(track)]
    followed = [mask for track in persons if len(mask := _whole_masks(track)) >= _FOLLOWED_FRAMES]
    return {
        "node_id": node_id,
        "frames": len(lines),
        "heads": len(heads),
        "clear_faces": len(seen_clearly),
        "doubtful_faces": len(vaguely),
        "masked_heads": masked,
        "leaked_heads": sum(head["mask"] == "leaked" for head in heads),
        "tallest_clear_face_px": round(max((h["box"][3] for h in seen_clearly), default=0.0), 1),
        "widest_eyes_px": round(max(frontal, default=0.0), 2),
        "widest_possible_eyes_px": round(max(possible, default=0.0), 2),
        "leaks": len(leaks),
        "clear_leaks": sum(any(clear(head) for head in leak) for leak in leaks),
        "followed_masks": len(followed),
        "weakest_mask_px": round(max((median(mask) for mask in followed), default=0.0), 2),
        "peopled": peopled,
        "mask_method": method,
        "shows": shows,
    }


def _persons(lines: list[dict[str, Any]]) -> Iterator[list[Head]]:
    """The heads of each person, frame by frame."""
    tracks: dict[int, list[Head]] = {}
    for line in lines:
        for head in line["heads"]:
            tracks.setdefault(head["person"], []).append(head)
    yield from tracks.values()


def _leaks(track: list[Head]) -> list[list[Head]]:
    """The spells in which a person's mask failed that had been there before and came back."""
    spells = [(leaked, list(group)) for leaked, group in groupby(track, _leaked)]
    return [heads for leaked, heads in spells[1:-1] if leaked]


def _leaked(head: Head) -> bool:
    return bool(head["mask"] == "leaked")


def _whole_masks(track: list[Head]) -> list[float]:
    """What the mask leaves in each frame in which the masked head is large and whole."""
    return [
        head["mask_px"]
        for head in track
        if not unmasked(head)
        and head["box"][3] >= 20
        and head["visible"] >= 0.8
        and head["in_frame"] >= 0.8
    ]
