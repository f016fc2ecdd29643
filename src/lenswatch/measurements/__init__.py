"""From arrays to numbers with units and intervals: what the checks judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lenswatch.model import Problem

if TYPE_CHECKING:  # the modules below load numba, OpenCV and onnxruntime
    from lenswatch.evidence.deployment import Deployment
    from lenswatch.evidence.inventory import Inventory
    from lenswatch.measurements.faces import FaceMeasurements
    from lenswatch.measurements.retention import RetentionMeasurements
    from lenswatch.measurements.routing import RoutingMeasurements

__all__ = ["Measurements"]


@dataclass(frozen=True, slots=True)
class Measurements:
    """All that was measured in one bundle, and all that is known of the deployment."""

    deployment: Deployment
    inventory: Inventory
    faces: FaceMeasurements | None = None
    """None where the bundle holds no video."""
    retention: RetentionMeasurements | None = None
    """None where the bundle holds no recordings."""
    routing: RoutingMeasurements | None = None
    """None where the bundle holds no flows."""
    problems: tuple[Problem, ...] = ()
    """Everything wrong with the evidence, in the order of the bundle."""
