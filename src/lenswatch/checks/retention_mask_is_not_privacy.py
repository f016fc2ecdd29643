"""Is a detection mask taken for a privacy mask?

Frigate's motion and object masks and ZoneMinder's inactive zones stop detection; the picture is
stored whole. A camera that is declared to mask, behind a recorder that has only such masks, fails.

Silent cases: masks in the camera itself, which the recorder does not know. False positives: a
camera that does mask by itself and has a detection mask besides; the video shows it
(``mask-missing``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from lenswatch.checks import _retention
from lenswatch.checks._base import Check
from lenswatch.evidence.recordings.artefacts import MaskSetting
from lenswatch.measurements import Measurements
from lenswatch.model import Confidence, EvidenceRef, Finding, Verdict, joined, sentence
from lenswatch.policy import Control


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a camera."""
    _, unknown = _retention.finding(CHECK.id, control, unit="")
    retention = measurements.retention
    if retention is None:
        yield from _retention.without_recordings(measurements, unknown)
        return
    inventory = measurements.inventory
    masks: dict[str, list[MaskSetting]] = {}
    for summary in retention.stores:
        for mask in summary.masks:
            node = summary.store.cameras.get(mask.camera, mask.camera)
            masks.setdefault(node, []).append(mask)
    declared = inventory.declared_masked
    for subject in _retention.subjects(measurements, retention):
        if subject.node < 0:
            continue
        own = masks.get(str(inventory.node_id[subject.node]), [])
        about = partial(
            unknown,
            subject=subject.name,
            evidence=tuple(
                EvidenceRef(mask.file, f"line {mask.line}" if mask.line else "") for mask in own
            ),
        )
        claim = np.nan if declared is None else float(declared[subject.node])
        private = [mask for mask in own if mask.private]
        if private:
            yield about(
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH,
                reason=sentence("The recorder covers the masked area in what it stores."),
            )
        elif own and claim == 1:
            yield about(
                verdict=Verdict.FAIL,
                confidence=Confidence.MEDIUM,
                reason=sentence(
                    "Declared as masked, and the recorder has only a detection mask: {notes}.",
                    notes=joined(
                        [sentence(note) for note in sorted({mask.note for mask in own})],
                        "{first}; {second}",
                    ),
                ),
            )
        elif own and np.isnan(claim):
            yield about(
                reason=sentence(
                    "The recorder has a detection mask only, and the inventory does not say "
                    "whether the camera counts as masked."
                )
            )
        elif own:
            yield about(
                verdict=Verdict.PASS,
                confidence=Confidence.HIGH,
                reason=sentence(
                    "The recorder has a detection mask, and nobody declares it as privacy."
                ),
            )
        elif claim == 1:
            yield about(
                reason=sentence(
                    "Declared as masked; no mask is in the recorder's settings, so the camera "
                    "itself must mask."
                )
            )
        else:
            yield about(
                verdict=Verdict.NOT_APPLICABLE,
                confidence=Confidence.HIGH,
                reason=sentence("No mask is declared or configured."),
            )


CHECK = Check(
    id="retention-mask-is-not-privacy",
    title="A detection mask is not taken for a privacy mask",
    needs=("recordings",),
    run=run,
)
