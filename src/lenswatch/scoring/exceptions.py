"""Exceptions: failures that somebody answers for, until a day, and that stay in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from lenswatch.model import Finding, Problem, Verdict, joined, sentence
from lenswatch.policy import Pack, PolicyException


def apply_exceptions(
    findings: Sequence[Finding], exceptions: Sequence[PolicyException], as_of: date
) -> tuple[Finding, ...]:
    """Turn failed and inconclusive findings that somebody answers for into ``excepted`` ones.

    An exception matches one control and one subject exactly, or all subjects with ``*``; the exact
    one counts first. It holds to the end of its day ``expires``, in UTC. What it excuses stays
    in the finding's reason, together with the exception's own. An expired one changes nothing but
    the reason, which says that it has expired.
    """
    if not exceptions:
        return tuple(findings)
    by_place = {(item.control, item.subject): item for item in exceptions}
    controls = {item.control for item in exceptions}
    day = _day(as_of)
    result = []
    for finding in findings:
        if finding.control in controls and finding.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            held = _match(finding, by_place, day)
            if held is not None:
                finding = _except(finding, held, day)
        result.append(finding)
    return tuple(result)


def _day(moment: date) -> date:
    if isinstance(moment, datetime):
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    return moment


def _match(
    finding: Finding, by_place: Mapping[tuple[str, str], PolicyException], day: date
) -> PolicyException | None:
    """The exception that holds for a finding; else one that has expired; else None."""
    exact = by_place.get((finding.control, finding.subject))
    for_all = by_place.get((finding.control, "*"))
    candidates = [item for item in (exact, for_all) if item is not None]
    return next((item for item in candidates if day <= item.expires), next(iter(candidates), None))


def _except(finding: Finding, exception: PolicyException, day: date) -> Finding:
    if day > exception.expires:
        over = sentence("An exception for this ended on {day}.", day=exception.expires.isoformat())
        return replace(finding, reason=joined([finding.reason, over]))
    failed = finding.verdict is Verdict.FAIL
    text = sentence(
        "Excepted until {day} by {approver}: {why} Without the exception: {verdict}. {reason}",
        day=exception.expires.isoformat(),
        approver=exception.approved_by,
        why=exception.reason,
        verdict=sentence("failed") if failed else sentence("could not be checked"),
        reason=finding.reason,
    )
    return replace(finding, verdict=Verdict.EXCEPTED, reason=text)


def exception_problems(
    findings: Sequence[Finding],
    exceptions: Sequence[PolicyException],
    packs: Sequence[Pack],
    as_of: date,
) -> tuple[Problem, ...]:
    """Exceptions that change nothing, and why: expired, of an unknown control, or unused.

    ``findings`` are those before :func:`apply_exceptions`.
    """
    day = _day(as_of)
    known = {control.id for pack in packs for control in pack.controls}
    owed = {
        (finding.control, subject)
        for finding in findings
        if finding.verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE)
        for subject in (finding.subject, "*")
    }
    problems = []
    for item in exceptions:
        if item.control not in known:
            message, remedy = (
                "an exception for a control that is in no pack of this audit",
                "correct the control, or audit with its pack",
            )
        elif day > item.expires:
            message, remedy = (
                sentence(
                    "the exception for {control} ended on {day}",
                    control=item.control,
                    day=item.expires.isoformat(),
                ),
                "remove it, or have it approved anew",
            )
        elif (item.control, item.subject) not in owed:
            message, remedy = (
                sentence("the exception for {control} excuses nothing", control=item.control),
                "remove it, or correct its subject",
            )
        else:
            continue
        problems.append(
            Problem("exceptions.yaml", message, remedy, part="exceptions", warning=True)
        )
    return tuple(sorted(set(problems)))
