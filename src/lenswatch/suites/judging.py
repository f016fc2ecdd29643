"""Answers against the truth: right, wrong, withheld, bold or failed, with intervals.

- ``choice``: the same word.
- ``number``: within the tolerance.
- ``set``: the same words, in any order.
- ``boxes``: a list of ``[x, y, w, h]`` in pixels against faces; each face that must be found is one
  count, and so is each box, which must touch some face.

A tool that gives null **withholds**: right where the evidence does not decide, told apart from
wrong elsewhere. **Bold** is an answer that the evidence does not bear out. **Failed** is no answer,
or one that is no answer to the question: neither right nor honest about it.

Intervals: questions of one case share a scene and a seed, so they are no independent draws. The
count is divided by the design effect between cases, and Clopper and Pearson's interval taken for
what is left (Korn and Graubard, Survey Methodology 24, 1998, 193-201).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv

from lenswatch.model import Interval
from lenswatch.suites.cases import Case, Question, Right

OUTCOMES = ("right", "wrong", "withheld", "bold", "failed")

FALSE_BOXES = "boxes that are on a face"
"""Label of the counts that boxes themselves make."""

_OVERLAP = 0.2
"""Intersection over union from which a box has found a face; what detectors frame differs."""
_TOUCH = 0.05
"""Likewise, from which a box is on a face at all."""
_MOST_BOXES = 1000

Tally = dict[str, int]


def judge_case(case: Case, answers: Mapping[str, Any] | None) -> dict[str, Tally]:
    """Counts of each outcome by label. ``answers`` None: the tool gave none for this case."""
    tallies: dict[str, Tally] = {}

    def count(label: str, outcome: str, times: int = 1) -> None:
        if times:
            row = tallies.setdefault(label, dict.fromkeys(OUTCOMES, 0))
            row[outcome] += times

    for question in case.questions:
        right = case.truth[question.id]
        given = None if answers is None else answers.get(question.id)
        missing = answers is None or question.id not in answers
        if question.kind == "boxes":
            _judge_boxes(right, given, count, missing=missing)
        else:
            count(right.label, _outcome(question, right, given, missing=missing))
    return tallies


def _outcome(question: Question, right: Right, given: Any, *, missing: bool) -> str:
    if missing:
        return "failed"
    if given is None:
        return "right" if right.value is None else "withheld"
    if not _fits(question, given):
        return "failed"
    if right.value is None:
        return "bold"
    if question.kind == "number":
        same = abs(float(given) - float(right.value)) <= right.tolerance
    elif question.kind == "set":
        same = sorted(set(given)) == sorted(set(right.value))
    else:
        same = given == right.value
    return "right" if same else "wrong"


def _fits(question: Question, given: Any) -> bool:
    if question.kind == "number":
        return (
            isinstance(given, int | float)
            and not isinstance(given, bool)
            and math.isfinite(float(given))
        )
    if question.kind == "set":
        return isinstance(given, list) and all(isinstance(word, str) for word in given)
    return isinstance(given, str) and given in question.details.get("choices", [given])


def _judge_boxes(right: Right, given: Any, count: Any, *, missing: bool) -> None:
    faces = right.value
    must = [face for face in faces if face["must"]]
    if missing or (given is not None and not _are_boxes(given)):
        count(right.label, "failed", len(must))
        return
    if given is None:
        count(right.label, "withheld", len(must))
        return
    share = np.array([[_overlap(box, face["box"]) for face in faces] for box in given])
    share = share.reshape(len(given), len(faces))
    best = share.max(axis=0, initial=0.0)
    found = sum(best[i] >= _OVERLAP for i, face in enumerate(faces) if face["must"])
    count(right.label, "right", int(found))
    count(right.label, "wrong", len(must) - int(found))
    on_face = int(np.count_nonzero(share.max(axis=1, initial=0.0) >= _TOUCH))
    count(FALSE_BOXES, "right", on_face)
    count(FALSE_BOXES, "wrong", len(given) - on_face)


def _are_boxes(given: Any) -> bool:
    return (
        isinstance(given, list)
        and len(given) <= _MOST_BOXES
        and all(
            isinstance(box, list)
            and len(box) == 4
            and all(isinstance(v, int | float) and math.isfinite(v) for v in box)
            for box in given
        )
    )


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return float(both / (a[2] * a[3] + b[2] * b[3] - both))


@dataclass(frozen=True, slots=True)
class Metric:
    """One label over all cases."""

    label: str
    counts: Tally
    shares: Mapping[str, tuple[float, Interval]]
    """Of right, wrong and withheld: the share of all counts, and its interval."""

    @property
    def total(self) -> int:
        """All counts."""
        return sum(self.counts.values())


def metrics(cases: Sequence[Mapping[str, Tally]]) -> tuple[Metric, ...]:
    """Sum the tallies of cases by label; bold and failed answers count as wrong in the share."""
    found = []
    for label in sorted({label for case in cases for label in case}):
        rows = [case[label] for case in cases if label in case]
        counts = {name: sum(row[name] for row in rows) for name in OUTCOMES}
        sizes = np.array([sum(row.values()) for row in rows], np.float64)
        parts = {
            "right": ("right",),
            "wrong": ("wrong", "bold", "failed"),
            "withheld": ("withheld",),
        }
        shares = {}
        for name, words in parts.items():
            hits = np.array([sum(row[word] for word in words) for row in rows], np.float64)
            shares[name] = (float(hits.sum() / sizes.sum()), clustered_interval(hits, sizes))
        found.append(Metric(label, counts, shares))
    return tuple(found)


def clustered_interval(
    hits: np.ndarray[Any, np.dtype[np.float64]],
    sizes: np.ndarray[Any, np.dtype[np.float64]],
    level: float = 0.95,
) -> Interval:
    """Interval of a share whose counts come in clusters; ``hits`` and ``sizes`` are (clusters,).

    Where all or none hit there is no spread to see: each cluster then counts once, and the whole
    error stands on one side. One cluster alone counts once too. ``sizes`` are positive.
    """
    total, clusters = float(sizes.sum()), len(sizes)
    share = float(hits.sum()) / total
    looks = float(clusters)
    if 0.0 < share < 1.0 and clusters > 1:
        residual = hits - share * sizes
        variance = clusters / (clusters - 1) * float(residual @ residual) / total**2
        plain = share * (1 - share) / total
        effect = max(variance / plain, 1.0)
        looks = max(total / effect, 1.0)
    tail = (1 - level) / (1.0 if share in (0.0, 1.0) else 2.0)
    x = share * looks
    lower = float(betaincinv(x, looks - x + 1, tail)) if share > 0 else 0.0
    upper = float(betaincinv(x + 1, looks - x, 1 - tail)) if share < 1 else 1.0
    return Interval(min(lower, share), max(upper, share), level, "Korn-Graubard")
