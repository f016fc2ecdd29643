"""The score in the form that pages show: rows, and the steps of the waterfall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lenswatch.policy import Pack
from lenswatch.reports.language import Language
from lenswatch.scoring import Driver, Part, Score, Tally, grade_of

STEPS = 20
"""Steps of the waterfall; the smaller ones are added up in a last step."""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One pack, district, vendor or model."""

    name: str
    """Empty for nodes whose cell in the inventory is empty."""
    low: float
    high: float
    grade: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Step:
    """What one control takes from the 100 points."""

    id: str
    """Control id, empty for the sum of the small ones."""
    title: str
    before: float
    """Points left above this step."""
    lost: float
    """Points that proven or inferred failures cost, whatever the missing evidence would show."""
    open: float
    """Points that depend on what could not be checked."""


@dataclass(frozen=True, slots=True)
class ScoreView:
    """Everything about the score that is shown."""

    low: float
    high: float
    grade: str
    steps: tuple[Step, ...]
    packs: tuple[ScoreRow, ...]
    """In the order of the audit."""
    districts: tuple[ScoreRow, ...]
    """These three by score, the lowest first."""
    vendors: tuple[ScoreRow, ...]
    models: tuple[ScoreRow, ...]


def score_view(score: Score, packs: tuple[Pack, ...], language: Language) -> ScoreView:
    """Prepare a score for a page."""
    return ScoreView(
        score.low,
        score.high,
        score.grade,
        tuple(_steps(score.drivers, language)),
        tuple(
            _row(language.gettext(pack.title), score.by_pack[pack.id])
            for pack in packs
            if pack.id in score.by_pack
        ),
        _rows(score.by_district),
        _rows(score.by_vendor),
        _rows(score.by_model),
    )


def _rows(parts: Mapping[str, Part]) -> tuple[ScoreRow, ...]:
    """Rows by score; none where the inventory names a single nameless group."""
    if set(parts) == {""}:
        return ()
    rows = [_row(name, part) for name, part in parts.items()]
    return tuple(sorted(rows, key=lambda row: (row.low, row.high, row.name)))


def _row(name: str, part: Part) -> ScoreRow:
    return ScoreRow(name, part.low, part.high, grade_of(part.low), part.tally)


def _steps(drivers: tuple[Driver, ...], language: Language) -> list[Step]:
    # a driver of a millionth of a point is rounding, not a cause
    costly = [driver for driver in drivers if driver.loss_low > 1e-6]
    shown = costly if len(costly) <= STEPS else costly[: STEPS - 1]
    steps: list[Step] = []
    before = 100.0
    for driver in shown:
        lost, left_open = driver.loss_high, max(driver.loss_low - driver.loss_high, 0.0)
        steps.append(Step(driver.control, driver.title, before, lost, left_open))
        before -= lost + left_open
    rest = costly[len(shown) :]
    if rest:
        lost = math.fsum(driver.loss_high for driver in rest)
        left_open = math.fsum(driver.loss_low - driver.loss_high for driver in rest)
        title = language.gettext("%(n)s more rules") % {"n": language.number(len(rest))}
        steps.append(Step("", title, before, lost, max(left_open, 0.0)))
    return steps
