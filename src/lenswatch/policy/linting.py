"""Advice on packs that load: what is allowed and yet probably not meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lenswatch.policy.model import Control, Force, Pack

_LIMITED_UNITS = {
    "retention-over-limit": "hours",
    "retention-under-minimum": "hours",
}
"""Unit in which a check measures, where a control in another would be judged wrongly."""


def advice(pack: Pack, checks: Collection[str]) -> Iterator[tuple[str, str]]:
    """Pairs of control id and a sentence. ``checks`` are the ids of the checks there are."""
    for control in pack.controls:
        for sentence in _about(control, checks):
            yield control.id, sentence


def _about(control: Control, checks: Collection[str]) -> Iterator[str]:
    if control.check not in checks:
        yield (
            f"no check is called {control.check}: every finding will be inconclusive, and counts "
            "as failed in the headline"
        )
    unit = _LIMITED_UNITS.get(control.check)
    if unit is not None and control.unit != unit:
        yield f"{control.check} measures in {unit}, the control's unit is {control.unit or 'empty'}"
    limits = (control.min, control.max, control.limit_from)
    if control.check in _LIMITED_UNITS and all(limit is None for limit in limits):
        yield "no limit: add min, max or limit_from"
    if control.check == "retention-over-limit" and control.min is not None:
        yield "retention-over-limit judges max and limit_from; min belongs to another check"
    if control.check == "retention-under-minimum" and control.max is not None:
        yield "retention-under-minimum judges min; max belongs to another check"
    if control.force is Force.LAW and not any(letter.isdigit() for letter in control.source):
        yield "a law without a number: name the article or paragraph in source"
