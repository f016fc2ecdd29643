"""Is any equipment of a make that a rule bars?

Compares the inventory's ``vendor`` with two lists of the control: ``makes`` (the barred makers,
their subsidiaries and own brands) and ``rebrands`` (makes that have sold a barred maker's equipment
under their own name, so that the name does not settle it). Names are separated by ``;``; a name
matches where its words stand in the vendor's, whatever the case: "Hangzhou Hikvision Digital" is
found by "Hikvision", "Hikvisionary" is not.

Silent cases: barred parts inside another make's device; an inventory that names a reseller. False
positives: a make outside the law's scope that has the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from lenswatch.checks._base import Check
from lenswatch.errors import PolicyError
from lenswatch.measurements import Measurements
from lenswatch.model import Basis, Confidence, EvidenceRef, Finding, Interval, Verdict, sentence
from lenswatch.policy import Control

_WORDS = re.compile(r"\w+")


def run(measurements: Measurements, control: Control) -> Iterator[Finding]:
    """One finding a node of the inventory; ``measured`` is 1 where its make is barred, else 0."""
    makes = _names(control, "makes")
    rebrands = _names(control, "rebrands")
    if not makes:
        raise PolicyError(f"{control.id}: the parameter makes is missing: name the barred makes")
    inventory = measurements.inventory
    judge = {"": ("", Verdict.INCONCLUSIVE)}
    for row, node in enumerate(inventory.node_id):
        vendor = "" if inventory.vendor is None else str(inventory.vendor[row] or "")
        if vendor not in judge:
            judge[vendor] = _judge(vendor, makes, rebrands)
        match, verdict = judge[vendor]
        finding = partial(
            Finding,
            control=control.id,
            check=CHECK.id,
            subject=f"node:{node}",
            severity=control.severity,
            remediation=control.remediation,
            limit=0.0,
            unit="barred makes",
            basis=Basis.PROVEN,
            evidence=(EvidenceRef(inventory.file, f"vendor of {node}"),),
        )
        if verdict is Verdict.INCONCLUSIVE:
            reason = (
                sentence(
                    "{make} has sold equipment of barred makes under its own name.", make=match
                )
                if match
                else sentence("The inventory does not say who made it.")
            )
            yield finding(verdict=verdict, confidence=Confidence.LOW, reason=reason)
            continue
        number = float(verdict is Verdict.FAIL)
        yield finding(
            verdict=verdict,
            confidence=Confidence.HIGH if number else Confidence.MEDIUM,
            measured=number,
            interval=Interval(number, number, 1.0, "counted"),
            reason=sentence("Its make is {make}, which is barred.", make=match)
            if number
            else sentence("Its make is not on the list."),
        )


def _names(control: Control, parameter: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Names of a list with their words in small letters."""
    text = str(control.parameters.get(parameter, ""))
    names = (name.strip() for name in text.split(";"))
    return tuple((name, _words(name)) for name in names if _words(name))


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(text.casefold()))


def _judge(
    vendor: str,
    makes: tuple[tuple[str, tuple[str, ...]], ...],
    rebrands: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[str, Verdict]:
    """The name that matches, and what follows from it."""
    words = _words(vendor)
    for names, verdict in ((makes, Verdict.FAIL), (rebrands, Verdict.INCONCLUSIVE)):
        for name, wanted in names:
            size = len(wanted)
            if any(words[i : i + size] == wanted for i in range(len(words) - size + 1)):
                return name, verdict
    return "", Verdict.PASS if words else Verdict.INCONCLUSIVE


CHECK = Check(
    id="equipment-barred",
    title="No equipment is of a barred make",
    needs=("nodes",),
    run=run,
)
