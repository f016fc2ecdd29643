"""The JSON of ``lenswatch faces``: written frame by frame, so that its length costs no memory.

``{"schema_version", "detector", "mode", "threshold", "files": [{"file", "codec", "frames": [...],
"width_px", "height_px", "seconds", "looked", "damage"}]}``. A frame has ``time`` (s), ``looked``
(``all`` or ``part``), ``boxes`` (``[x, y, w, h, score]`` above the threshold), ``inter_eye_px``
and ``masked`` (one entry a box), ``weak_boxes`` (down to a score of 0.1, for precision-recall
curves; not faces) and ``masks`` (``{"box", "state"}``).
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from lenswatch.errors import EvidenceError
from lenswatch.evidence.video.detectors import Detector
from lenswatch.evidence.video.looking import Look, Looker, MaskTrack
from lenswatch.evidence.video.masking import Kind
from lenswatch.evidence.video.preview import write_preview
from lenswatch.evidence.video.reader import VideoReader
from lenswatch.evidence.video.tracking import Track

_SMALLEST_TOLD = 14.0
"""Pixels a side; what was done to a smaller face cannot be observed."""


class FramesWriter:
    """Looks at files one by one and writes what it finds. Use as a context manager."""

    def __init__(
        self,
        path: Path | None,
        detector: Detector,
        mode: str,
        *,
        every_frame: bool = False,
        preview: Path | None = None,
    ) -> None:
        """``path`` None writes nothing; ``preview`` is an existing folder for pictures."""
        self._path = path
        self._detector = detector
        self._mode = mode
        self._every_frame = every_frame
        self._preview = preview
        self._out: IO[str] | None = None
        self._files = 0

    def __enter__(self) -> Self:
        if self._path is not None:
            self._out = self._path.open("w", encoding="utf-8")
            head = {
                "schema_version": 1,
                "detector": self._detector.name,
                "mode": self._mode,
                "threshold": self._detector.threshold,
            }
            self._write(json.dumps(head)[:-1] + ', "files": [')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._out is not None:
            self._write("\n]}\n")
            self._out.close()

    def add(self, name: str, *, seconds: float | None = None) -> str:
        """Look at one file and write its frames; a sentence about it for a person.

        Raises :class:`EvidenceError` where it cannot be read.
        """
        live = "://" in name
        size = (0, 0)
        tracks: list[Track] = []
        masks: list[MaskTrack] = []
        source = name if live else Path(name)
        with VideoReader(source, name=_without_password(name), seconds=seconds) as reader:
            looker = Looker(
                self._detector, self._mode, every_frame=self._every_frame, still=reader.still
            )
            started = False
            for frame in reader:
                look = looker.step(frame)
                if look is None:
                    continue
                size = (frame.luma.shape[1], frame.luma.shape[0])
                tracks.extend(track for track in look.ended if track.confirmed)
                masks.extend(mask for mask in look.ended_masks if mask.confirmed)
                if not started:
                    self._begin(_without_password(name), reader.codec)
                self._write(
                    ("," if started else "") + "\n" + json.dumps(_frame(look, looker.threshold))
                )
                started = True
                if self._preview is not None and look.complete:
                    file = self._preview / f"{self._files:03}-{frame.index:07}.png"
                    write_preview(file, frame.luma, look.faces, look.masks)
        if not started:
            raise EvidenceError(
                "no frame of it can be decoded", file=reader.name, remedy="copy it again"
            )
        more, more_masks = looker.finish()
        tracks.extend(track for track in more if track.confirmed)
        masks.extend(mask for mask in more_masks if mask.confirmed)
        effort, damage = looker.effort, reader.damage
        tail: dict[str, Any] = {
            "width_px": size[0],
            "height_px": size[1],
            "seconds": reader.seconds,
            "face_tracks": len(tracks),
            "masked_tracks": len(masks),
            "leaks": [leak[:3] for mask in masks for leak in mask.leaks],
            "looked": {
                "frames_seen": effort.frames,
                "frames_examined": effort.examined,
                "frames_followed": effort.followed,
                "work_frames": round(effort.pixels, 3),
            },
            "damage": {
                "packets": damage.packets,
                "frames": damage.frames,
                "truncated": damage.truncated,
            },
        }
        self._write("\n], " + json.dumps(tail)[1:])
        self._files += 1
        word = "face" if len(tracks) == 1 else "faces"
        hurt = f"; damaged: {damage.packets} packets, {damage.frames} frames" if damage.any else ""
        return (
            f"{reader.name}: {len(tracks)} {word} in view, {len(masks)} masked, in "
            f"{reader.seconds:.1f} s; looked at {effort.examined} of {effort.frames} frames whole"
            f" and {effort.followed} in part{hurt}"
        )

    def _begin(self, name: str, codec: str) -> None:
        head = json.dumps({"file": name, "codec": codec})
        self._write(("," if self._files else "") + "\n" + head[:-1] + ', "frames": [')

    def _write(self, text: str) -> None:
        if self._out is not None:
            self._out.write(text)


def _frame(look: Look, threshold: float) -> dict[str, Any]:
    scores = look.found.scores
    # Every box above the threshold is listed, masked ones too; look.faces are those without a mask.
    strong: list[int] = np.flatnonzero(scores > threshold).tolist()
    weak: list[int] = np.flatnonzero(scores <= threshold).tolist()
    apart = np.linalg.norm(look.found.landmarks[:, 1] - look.found.landmarks[:, 0], axis=1)
    return {
        "time": round(look.time, 6),
        "looked": "all" if look.complete else "part",
        "boxes": [_box(look, i) for i in strong],
        "inter_eye_px": [round(float(apart[i]), 2) for i in strong],
        "masked": [_state(look, i) for i in strong],
        "weak_boxes": [_box(look, i) for i in weak],
        "masks": [
            {
                "box": [round(float(v), 2) for v in box],
                "state": Kind(int(kind)).name.lower(),
            }
            for box, kind in zip(look.masks.boxes, look.masks.kinds, strict=True)
        ],
    }


def _box(look: Look, i: int) -> list[float]:
    values = [round(float(v), 2) for v in look.found.boxes[i]]
    return [*values, round(float(look.found.scores[i]), 4)]


def _state(look: Look, i: int) -> str:
    if float(look.found.boxes[i, 2:].min()) < _SMALLEST_TOLD:
        return "not-observable"
    return Kind(int(look.kinds[i])).name.lower()


def _without_password(name: str) -> str:
    """An address without the user and password that cameras have in theirs."""
    scheme, separator, rest = name.partition("://")
    if not separator:
        return name
    return f"{scheme}://{rest.rpartition('@')[2]}"
