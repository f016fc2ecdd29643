"""What one worker is given, and how the parts become the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import local
from typing import TYPE_CHECKING

from lenswatch.evidence.video.detectors import Detector, open_detector
from lenswatch.measurements.faces import (
    CameraFaces,
    FaceMeasurements,
    by_camera,
    join_cameras,
    measure_camera,
)
from lenswatch.measurements.retention import RetentionMeasurements, join_stores
from lenswatch.measurements.retention_store import StoreColumns, measure_store
from lenswatch.scaling.evidence import SharedEvidence

if TYPE_CHECKING:
    from lenswatch.evidence.bundle import Bundle, VideoFile
    from lenswatch.measurements.routing import RoutingMeasurements
    from lenswatch.scaling.cluster import Cluster, Progress

_mine = local()


def measure_faces_on(
    cluster: Cluster, bundle: Bundle, *, mode: str = "fast", progress: Progress | None = None
) -> FaceMeasurements:
    """As :func:`~lenswatch.measurements.faces.measure_faces`, camera by camera on the workers."""
    evidence = SharedEvidence.of(bundle)
    parts = [
        _Camera(evidence, node_id, tuple(_absolute(file) for file in files), mode)
        for node_id, files in by_camera(bundle.videos)
    ]
    measured = cluster.map(_measure_camera, parts, stage="faces", progress=progress)
    names = {name for name, _ in measured}
    return join_cameras(
        (camera for _, camera in measured), mode=mode, detector=", ".join(sorted(names))
    )


def measure_retention_on(
    cluster: Cluster,
    bundle: Bundle,
    *,
    routing: RoutingMeasurements | None = None,
    progress: Progress | None = None,
) -> RetentionMeasurements:
    """As :func:`~lenswatch.measurements.retention.measure_retention`, store by store."""
    evidence = SharedEvidence.of(bundle)
    parts = [_Store(evidence, number) for number in range(len(bundle.stores))]
    measured = cluster.map(_measure_store, parts, stage="recordings", progress=progress)
    return join_stores(measured, bundle.deployment, bundle.inventory, routing=routing)


@dataclass(frozen=True, slots=True)
class _Camera:
    evidence: SharedEvidence
    node_id: str
    files: tuple[VideoFile, ...]
    mode: str


@dataclass(frozen=True, slots=True)
class _Store:
    evidence: SharedEvidence
    number: int


def _absolute(file: VideoFile) -> VideoFile:
    return replace(file, path=file.path.absolute())


def _measure_camera(part: _Camera) -> tuple[str, CameraFaces]:
    bundle = part.evidence.open()
    detector = _detector()
    found = measure_camera(part.node_id, part.files, bundle.inventory, detector, part.mode)
    return detector.name, found


def _measure_store(part: _Store) -> StoreColumns:
    bundle = part.evidence.open()
    store = bundle.stores[part.number]
    return measure_store(part.number, store, bundle.deployment, bundle.inventory, root=bundle.root)


def _detector() -> Detector:
    """One for each thread of a worker: opening it costs as much as a short clip."""
    if not hasattr(_mine, "detector"):
        _mine.detector = open_detector()
    detector: Detector = _mine.detector
    return detector
