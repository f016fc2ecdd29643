"""Face detectors, by name. More can be added by packages through ``lenswatch.detectors``."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from lenswatch.errors import UsageError
from lenswatch.evidence.video.detectors._interface import Detector

__all__ = ["Detector", "open_detector"]

ENTRY_POINTS = "lenswatch.detectors"


def open_detector(name: str = "centerface") -> Detector:
    """A detector of one's own: ``centerface``, the path of an ONNX file of YuNet's kind, or a name
    that an installed package registers under the entry point group ``lenswatch.detectors`` (a
    callable without arguments). Costs 0.3 to 1 s.

    Raises :class:`UsageError` for an unknown name, :class:`~lenswatch.errors.EvidenceError` for a
    file that is no such model.
    """
    if name == "centerface":
        from lenswatch.evidence.video.detectors.centerface import CenterFace

        return CenterFace()
    if name.endswith(".onnx"):
        from lenswatch.evidence.video.detectors.yunet import YuNet

        return YuNet(Path(name))
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            detector: Detector = entry.load()()
            return detector
    known = sorted({"centerface", *(entry.name for entry in entry_points(group=ENTRY_POINTS))})
    raise UsageError(
        f"no such detector; known are {', '.join(known)}, or name an .onnx file of YuNet's kind"
    )
