"""What a deployment's cameras capture of faces.

Every clip is decoded, measured and dropped: nothing here holds a picture, a crop or a description
of a face. A track is a place over time; how many different people there were is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock, local
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lenswatch.errors import EvidenceError
from lenswatch.evidence.video.detectors import Detector, open_detector
from lenswatch.evidence.video.looking import Looker, MaskTrack
from lenswatch.evidence.video.reader import VideoReader
from lenswatch.evidence.video.search import MODES
from lenswatch.evidence.video.tracking import Track
from lenswatch.measurements.capability import Capability, from_geometry, from_inter_eye
from lenswatch.measurements.masks import MaskMeasurement, summarise
from lenswatch.measurements.shares import share_interval
from lenswatch.model import Interval, Problem, sentence
from lenswatch_kernels.light import histogram

if TYPE_CHECKING:
    from lenswatch.evidence.bundle import VideoFile
    from lenswatch.evidence.inventory import Inventory

Progress = Callable[[str, int, int], None]

DARK = 20.0
"""Mean brightness (0..255) below which a picture shows too little to say that no face was there."""

EYE_STEPS = (8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 90.0, 120.0)
"""Distances between the eyes in px for which the share of time is given."""

_CLOCK = 0.1
"""Seconds of the grid on which time with and without a face is counted."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at and what was skipped."""

    frames_seen: int
    """Frames decoded."""
    frames_examined: int
    """Frames of which the detector saw everything that had changed."""
    frames_followed: int
    """Further frames of which it saw places of interest only."""
    frames_damaged: int
    """Frames that were decoded with errors, or not at all."""
    packets_damaged: int
    truncated_files: int
    work: float
    """Pixels given to the detector, in multiples of one frame; every frame would be
    ``frames_seen``."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Face heights in px over the confirmed tracks, each by its median; NaN without any."""

    smallest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    largest: float
    """The largest single sighting."""


@dataclass(frozen=True, slots=True)
class CameraFaces:
    """One camera, over all its files."""

    node_id: str
    files: tuple[str, ...]
    """Paths relative to the bundle that could be read."""
    seconds: float
    """Time that the readable files cover."""
    width_px: int
    height_px: int
    looked: Looked
    share_with_face: float
    """Share of the time with an unmasked face in view, 0..1; NaN where nothing could be read."""
    share_interval: Interval | None
    """Of ``share_with_face``; frames next to each other are not independent, and it says so."""
    tracks: int
    """Confirmed unmasked faces, one for each time that one was in view."""
    best_score: float
    """The detector's score of the clearest of them, 0 where there is none."""
    sizes: Sizes
    inter_eye_px: float
    """Between the eyes of the largest face; NaN where there is none."""
    shares_by_eyes: tuple[tuple[float, float, Interval | None], ...]
    """For each of :data:`EYE_STEPS` the share of time with a face whose eyes are at least that far
    apart, and its interval."""
    first_seen: tuple[str, float] | None
    """File and second of the clearest face."""
    light: float
    """Median over time of the mean brightness, 0..255; NaN where nothing could be read."""
    dark_share: float
    """Share of the examined frames that are too dark to tell."""
    masks: MaskMeasurement
    declared: Capability | None
    """From the inventory's geometry; None where it is incomplete."""
    observed: Capability | None
    """From the largest face; None where there is none."""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class FaceMeasurements:
    """All cameras with video."""

    cameras: tuple[CameraFaces, ...]
    """Sorted by node id."""
    problems: tuple[Problem, ...]
    """Of all cameras, in the order of the files."""
    mode: str
    detector: str

    def of(self, node_id: str) -> CameraFaces | None:
        """One camera, None where it has no video."""
        low, high = 0, len(self.cameras)
        while low < high:
            middle = (low + high) // 2
            if self.cameras[middle].node_id < node_id:
                low = middle + 1
            else:
                high = middle
        found = low < len(self.cameras) and self.cameras[low].node_id == node_id
        return self.cameras[low] if found else None


def measure_faces(
    videos: Sequence[VideoFile],
    inventory: Inventory,
    *,
    mode: str = "fast",
    detector: str = "centerface",
    threads: int = 2,
    progress: Progress | None = None,
) -> FaceMeasurements:
    """Measure the videos of a bundle, camera by camera.

    ``mode`` is ``fast`` or ``thorough``, ``detector`` what
    :func:`~lenswatch.evidence.video.detectors.open_detector` takes. ``threads`` is how many cameras
    are worked on at once; it never changes a result. A file that cannot be read, or is damaged,
    becomes a problem of its camera.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    if threads < 1:
        raise ValueError("threads must be positive")
    cameras = by_camera(videos)
    opened = open_detector(detector)  # here, so that a wrong name ends the call at once
    spare = [opened]
    mine = local()
    lock = Lock()
    done = 0

    def measure(camera: tuple[str, list[VideoFile]]) -> CameraFaces:
        nonlocal done
        if not hasattr(mine, "detector"):
            with lock:
                mine.detector = spare.pop() if spare else None
            mine.detector = mine.detector or open_detector(detector)
        result = measure_camera(*camera, inventory, mine.detector, mode)
        with lock:
            done += 1
            if progress is not None:
                progress("faces", done, len(cameras))
        return result

    with ThreadPoolExecutor(max_workers=threads) as pool:
        measured = tuple(pool.map(measure, cameras))
    return join_cameras(measured, mode=mode, detector=opened.name)


def by_camera(videos: Sequence[VideoFile]) -> list[tuple[str, list[VideoFile]]]:
    """Files of each camera by their names, cameras by their node ids."""
    ordered = sorted(videos, key=lambda video: (video.node_id, video.relative))
    return [(node_id, list(files)) for node_id, files in groupby(ordered, key=lambda v: v.node_id)]


def join_cameras(cameras: Iterable[CameraFaces], *, mode: str, detector: str) -> FaceMeasurements:
    """Put cameras together that were measured one by one, here or elsewhere, in any order."""
    ordered = tuple(sorted(cameras, key=lambda camera: camera.node_id))
    problems = tuple(problem for camera in ordered for problem in camera.problems)
    return FaceMeasurements(ordered, problems, mode, detector)


@dataclass(slots=True)
class _Camera:
    """What is gathered over the files of one camera."""

    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    tracks: list[tuple[str, Track]] = field(default_factory=list)
    masks: list[tuple[str, MaskTrack]] = field(default_factory=list)
    eyes: list[NDArray[np.float32]] = field(default_factory=list)
    """For each file and tick of the clock the largest distance between eyes in view, -1 without a
    face."""
    brightness: list[float] = field(default_factory=list)
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    frames: int = 0
    examined: int = 0
    followed: int = 0
    damaged_frames: int = 0
    damaged_packets: int = 0
    truncated: int = 0
    work: float = 0.0


def measure_camera(
    node_id: str, files: Sequence[VideoFile], inventory: Inventory, detector: Detector, mode: str
) -> CameraFaces:
    """Measure the files of one camera, in the order given; ``mode`` as in :func:`measure_faces`."""
    camera = _Camera()
    for file in files:
        try:
            _measure_file(file, camera, detector, mode)
        except EvidenceError as error:
            camera.problems.append(_problem(file, error.message, error.remedy))
    return _summary(node_id, camera, inventory)


def _measure_file(file: VideoFile, camera: _Camera, detector: Detector, mode: str) -> None:
    tracks: list[Track] = []
    masks: list[MaskTrack] = []
    with VideoReader(file.path, name=file.relative) as reader:
        looker = Looker(detector, mode, still=reader.still)
        for frame in reader:
            look = looker.step(frame)
            if look is None:
                continue
            tracks.extend(track for track in look.ended if track.confirmed)
            masks.extend(mask for mask in look.ended_masks if mask.confirmed)
            if look.complete:
                counts = histogram(frame.luma)
                camera.brightness.append(float(counts @ np.arange(256) / max(counts.sum(), 1)))
            camera.width = max(camera.width, frame.luma.shape[1])
            camera.height = max(camera.height, frame.luma.shape[0])
    open_tracks, open_masks = looker.finish()
    tracks.extend(track for track in open_tracks if track.confirmed)
    masks.extend(mask for mask in open_masks if mask.confirmed)
    damage = reader.damage
    if reader.frames == 0:
        camera.problems.append(
            _problem(file, "no frame of it can be decoded", "copy it again from the recorder")
        )
    else:
        camera.files.append(file.relative)
    if damage.any and reader.frames:
        message = sentence(
            "damaged: {packets} packets and {frames} frames; it ends before its time"
            if damage.truncated
            else "damaged: {packets} packets and {frames} frames",
            packets=damage.packets,
            frames=damage.frames,
        )
        camera.problems.append(_problem(file, message, "copy it again from the recorder"))
    ticks = np.full(math.ceil(reader.seconds / _CLOCK), -1.0, np.float32)
    for track in tracks:
        # A sighting stands for the frame it was in, so a track lasts one frame longer.
        last = track.end + reader.frame_seconds
        span = ticks[int(track.start / _CLOCK) : math.ceil(last / _CLOCK - 1e-9)]
        np.maximum(span, max(track.inter_eye, 0.0), out=span)
    camera.eyes.append(ticks)
    camera.tracks.extend((file.relative, track) for track in tracks)
    camera.masks.extend((file.relative, mask) for mask in masks)
    camera.seconds += reader.seconds
    camera.frames += reader.frames
    camera.examined += looker.effort.examined
    camera.followed += looker.effort.followed
    camera.damaged_frames += damage.frames
    camera.damaged_packets += damage.packets
    camera.truncated += damage.truncated
    camera.work += looker.effort.pixels


def _problem(file: VideoFile, message: str, remedy: str) -> Problem:
    return Problem(file.relative, message, remedy, part="video", subject=f"node:{file.node_id}")


def _summary(node_id: str, camera: _Camera, inventory: Inventory) -> CameraFaces:
    eyes = np.concatenate(camera.eyes) if camera.eyes else np.zeros(0, np.float32)
    brightness = np.array(camera.brightness)
    largest = max(camera.tracks, key=lambda t: t[1].largest_height, default=None)
    clearest = max(camera.tracks, key=lambda t: t[1].best_score, default=None)
    inter_eye = largest[1].inter_eye if largest else math.nan
    return CameraFaces(
        node_id=node_id,
        files=tuple(camera.files),
        seconds=camera.seconds,
        width_px=camera.width,
        height_px=camera.height,
        looked=Looked(
            camera.frames,
            camera.examined,
            camera.followed,
            camera.damaged_frames,
            camera.damaged_packets,
            camera.truncated,
            camera.work,
        ),
        share_with_face=_share(eyes >= 0.0),
        share_interval=share_interval(eyes >= 0.0, _CLOCK),
        tracks=len(camera.tracks),
        best_score=clearest[1].best_score if clearest else 0.0,
        sizes=_sizes([track for _, track in camera.tracks]),
        inter_eye_px=inter_eye,
        shares_by_eyes=tuple(
            (step, _share(eyes >= step), share_interval(eyes >= step, _CLOCK)) for step in EYE_STEPS
        ),
        first_seen=(clearest[0], clearest[1].start) if clearest else None,
        light=float(np.median(brightness)) if len(brightness) else math.nan,
        dark_share=float((brightness < DARK).mean()) if len(brightness) else math.nan,
        masks=summarise(camera.masks, len(camera.tracks)),
        declared=_declared(node_id, inventory),
        observed=from_inter_eye(inter_eye),
        problems=tuple(camera.problems),
    )


def _share(ticks: NDArray[np.bool_]) -> float:
    return float(ticks.mean()) if len(ticks) else math.nan


def _sizes(tracks: list[Track]) -> Sizes:
    if not tracks:
        return Sizes(math.nan, math.nan, math.nan, math.nan, math.nan)
    heights = [float(np.median(track.heights)) for track in tracks]
    low, lower, middle, upper = np.quantile(heights, [0.0, 0.25, 0.5, 0.75]).tolist()
    return Sizes(low, lower, middle, upper, max(track.largest_height for track in tracks))


def _declared(node_id: str, inventory: Inventory) -> Capability | None:
    row = inventory.row_of(node_id)
    columns = (inventory.width_px, inventory.hfov_deg, inventory.distance_m)
    if row is None or any(column is None for column in columns):
        return None
    width, hfov, distance = (float(column[row]) for column in columns if column is not None)
    return from_geometry(width, hfov, distance)
