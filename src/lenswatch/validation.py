"""Looks into every piece of evidence without judging any: what ``lenswatch validate`` adds.

Readers are imported where there is something to read: a bundle of hand-written files is checked
without loading a decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lenswatch.errors import EvidenceError
from lenswatch.evidence.bundle import Bundle, VideoFile
from lenswatch.model import Problem
from lenswatch.scoring import PLAN, read_plan


def look_deeper(
    bundle: Bundle, progress: Callable[[str, int, int], None] | None = None
) -> tuple[Problem, ...]:
    """Read every flow record, decode every video, open every store, draw the plan again.

    Gives the problems that :func:`~lenswatch.evidence.bundle.open_bundle` could not see.
    """
    problems: list[Problem] = []
    if (bundle.root / PLAN).is_file():
        problems.extend(read_plan(bundle.root / PLAN, bundle.inventory)[2])
    if bundle.flow_files:
        from lenswatch.evidence.flows import FlowReader

        reader = FlowReader(bundle.flow_files, root=bundle.root, progress=progress)
        for _ in reader:
            pass
        problems.extend(reader.problems)
    for number, video in enumerate(bundle.videos):
        problems.extend(_decode(video))
        if progress is not None:
            progress("video", number + 1, len(bundle.videos))
    for number, store in enumerate(bundle.stores):
        from lenswatch.evidence.recordings.systems import read_store

        reading = read_store(store, root=bundle.root, emit=lambda *_: None)
        problems.extend(reading.problems)
        if progress is not None:
            progress("recordings", number + 1, len(bundle.stores))
    return tuple(problems)


def _decode(video: VideoFile) -> Iterator[Problem]:
    from lenswatch.evidence.video.reader import VideoReader

    subject = f"node:{video.node_id}"
    try:
        with VideoReader(video.path, name=video.relative) as frames:
            for _ in frames:
                pass
    except EvidenceError as error:
        yield Problem(
            error.file,
            error.message,
            error.remedy,
            offset=error.offset,
            part="video",
            subject=subject,
        )
        return
    damage = frames.damage
    if frames.frames == 0:
        yield Problem(
            video.relative,
            "no frame could be decoded",
            "export the clip again",
            part="video",
            subject=subject,
        )
    elif damage.any:
        yield Problem(
            video.relative,
            f"damaged: {damage.packets} packets and {damage.frames} frames, "
            f"{frames.frames} frames decoded" + (", cut off" if damage.truncated else ""),
            "export the clip again; what decodes is measured",
            part="video",
            subject=subject,
            warning=not damage.truncated,
        )
