"""The sentences and labels that the page and the PDF have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lenswatch.checks import load_checks
from lenswatch.model import Basis, Finding, Severity, Verdict, joined, sentence
from lenswatch.policy import Control, Pack
from lenswatch.reports.end_use import Part
from lenswatch.reports.language import Language
from lenswatch.reports.summary import VERDICTS, ControlSummary, OpenReason, Summary
from lenswatch.result import AuditResult
from lenswatch.scoring import grade_range

MARKS: Mapping[str, str] = {
    "fail": "✕",
    "inconclusive": "?",
    "excepted": "‖",
    "pass": "✓",
    "not-applicable": "–",
}
"""Signs beside the words, so that colour is never the only difference."""


class Wording:
    """Labels and sentences in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._checks = load_checks()
        _ = language.gettext
        self.verdicts = {
            "fail": _("fail"),
            "inconclusive": _("could not be checked"),
            "excepted": _("excepted"),
            "pass": _("pass"),
            "not-applicable": _("not applicable"),
        }
        self.severities = {
            "critical": _("critical"),
            "high": _("high"),
            "medium": _("medium"),
            "low": _("low"),
        }
        self.confidences = {
            "high": _("high confidence"),
            "medium": _("medium confidence"),
            "low": _("low confidence"),
        }
        self.bases = {"proven": _("proven"), "inferred": _("inferred")}
        self.forces = {
            "law": _("Law"),
            "guidance": _("Guidance"),
            "standard": _("Standard"),
            "default": _("Our default"),
        }
        self.subjects = {
            "node": _("node"),
            "store": _("store"),
            "deployment": _("the whole deployment"),
        }

    def headline(self, result: AuditResult, summary: Summary) -> list[str]:
        """The result in two or three sentences."""
        _, ngettext, number = (
            self._language.gettext,
            self._language.ngettext,
            self._language.number,
        )
        failed = summary.worst_controls(Verdict.FAIL)
        sentences = []
        if failed:
            cases = summary.counts[Verdict.FAIL]
            text = ngettext(
                "%(rules)s rule is broken, in %(cases)s cases: “%(worst)s”.",
                "%(rules)s rules are broken, in %(cases)s cases; the gravest: “%(worst)s”.",
                len(failed),
            )
            worst = _(failed[0].title).rstrip(".")
            sentences.append(
                text % {"rules": number(len(failed)), "cases": number(cases), "worst": worst}
            )
        elif result.verdict is Verdict.PASS and result.sample is not None:
            sentences.append(
                _("No rule was found broken, and what was not looked at is certified by sample.")
            )
        elif result.verdict is Verdict.PASS:
            sentences.append(_("No rule was found broken, and everything asked was checked."))
        elif summary.counts:
            sentences.append(_("No rule was found broken, but not everything could be checked."))
        else:
            sentences.append(_("There was nothing to judge: no finding was made."))
        unchecked, silent = self._unchecked(result, summary)
        if result.sample is not None:
            sentences.append(self._sampled(result, unchecked + silent))
            unchecked = silent = 0
        if unchecked:
            text = ngettext(
                "%(cases)s case could not be checked and counts as lost until evidence shows "
                "otherwise.",
                "%(cases)s cases could not be checked and count as lost until evidence shows "
                "otherwise.",
                unchecked,
            )
            sentences.append(text % {"cases": number(unchecked)})
        if silent > 0:
            text = ngettext(
                "%(cases)s more case, about which the evidence says nothing at all, counts the "
                "same way.",
                "%(cases)s more cases, about which the evidence says nothing at all, count the "
                "same way.",
                silent,
            )
            sentences.append(text % {"cases": number(silent)})
        excepted = summary.counts[Verdict.EXCEPTED]
        if excepted:
            text = ngettext(
                "%(cases)s failure is excepted until a date.",
                "%(cases)s failures are excepted until a date.",
                excepted,
            )
            sentences.append(text % {"cases": number(excepted)})
        return sentences

    def _unchecked(self, result: AuditResult, summary: Summary) -> tuple[int, int]:
        """Cases that could not be checked, and those about which the evidence says nothing."""
        told = summary.counts[Verdict.INCONCLUSIVE] - len(_open_claims(result))
        return told, result.score.tally.inconclusive - told

    def _sampled(self, result: AuditResult, unchecked: int) -> str:
        """What the sample does to the score."""
        text = self._language.gettext(
            "Audited by sample: the score holds for all %(cameras)s cameras with %(level)s "
            "confidence, whenever the audit was stopped. The sample speaks for the %(cases)s cases "
            "that were not checked, as far as they are about cameras; the others count as lost."
        )
        return text % {
            "cameras": self._language.number(result.coverage.cameras),
            "level": self._language.percent(result.score.level),
            "cases": self._language.number(unchecked),
        }

    def without_exceptions(self, result: AuditResult) -> str:
        """What the exceptions are worth; empty where they change nothing."""
        score, points = result.score, self._language.points
        if score.low_without_exceptions >= score.low:
            return ""
        text = self._language.gettext(
            "If every excepted case counted as broken, the score would be %(without)s instead of "
            "%(low)s."
        )
        return text % {"without": points(score.low_without_exceptions), "low": points(score.low)}

    def weights(self, result: AuditResult) -> str:
        """How much the headline owes to the choice of weights; empty where it owes nothing."""
        low, high = grade_range(result.score)
        if high - low < 0.05:
            return ""
        text = self._language.gettext(
            "If the weight of each rule were anything from half to twice as large, the score would "
            "lie between %(low)s and %(high)s."
        )
        return text % {"low": self._language.points(low), "high": self._language.points(high)}

    def conflicts(self, packs: Sequence[Pack]) -> list[str]:
        """Rules that no recorder can keep both: one deletes before the other allows it."""
        controls = [control for pack in packs for control in pack.controls]
        longest = [c for c in controls if c.check == "retention-over-limit" and c.max is not None]
        shortest = [
            c for c in controls if c.check == "retention-under-minimum" and c.min is not None
        ]
        _ = self._language.gettext
        number = self._language.number
        return [
            _(
                "No recorder can keep both: “%(most)s” (%(most_id)s, at most %(most_hours)s h) and "
                "“%(least)s” (%(least_id)s, at least %(least_hours)s h)."
            )
            % {
                "most": _(most.title),
                "most_id": most.id,
                "most_hours": number(most.max or 0.0),
                "least": _(least.title),
                "least_id": least.id,
                "least_hours": number(least.min or 0.0),
            }
            for most in longest
            for least in shortest
            if (most.max or 0.0) < (least.min or 0.0)
        ]

    def everywhere(self, control: str, summary: Summary) -> str:
        """All subjects of an exception for a whole control, with the number of cases."""
        found = summary.controls.get(control)
        count = found.counts[Verdict.EXCEPTED] if found else 0
        text = self._language.ngettext("everywhere (%(n)s case)", "everywhere (%(n)s cases)", count)
        return text % {"n": self._language.number(count)}

    def outside(self, result: AuditResult) -> str:
        """What the score leaves out; empty where it leaves out nothing."""
        outside = int(result.score.outside)
        if not outside:
            return ""
        text = self._language.ngettext(
            "%(n)s failure is about something that the inventory does not list. It decides the "
            "verdict, but is no part of the score.",
            "%(n)s failures are about something that the inventory does not list. They decide the "
            "verdict, but are no part of the score.",
            outside,
        )
        return text % {"n": self._language.number(outside)}

    def control_sentence(self, control: ControlSummary) -> str:
        """How often a rule was kept and broken; proven and inferred failures apart."""
        _, number = self._language.gettext, self._language.number
        failed = control.counts[Verdict.FAIL]
        proven, inferred = control.bases[Basis.PROVEN], control.bases[Basis.INFERRED]
        if inferred:
            first = _("%(n)s fail: %(proven)s proven, %(inferred)s inferred") % {
                "n": number(failed),
                "proven": number(proven),
                "inferred": number(inferred),
            }
        else:
            first = _("%(n)s fail, all proven") % {"n": number(failed)}
        others = [
            f"{number(control.counts[verdict])} {self.verdicts[verdict.value]}"
            for verdict in VERDICTS[1:]
            if control.counts[verdict]
        ]
        return _(sentence("{counts}.", counts=joined([first, *others], "{first}; {second}")))

    def interval(self, finding: Finding) -> str:
        """The interval of a finding in words; empty where it has none."""
        interval, unit = finding.interval, finding.unit
        if interval is None:
            return ""
        if interval.level >= 1 and interval.lower == interval.upper == finding.measured:
            return self._language.gettext("exact")
        _, quantity = self._language.gettext, self._language.quantity
        words = {"lower": quantity(interval.lower, unit), "upper": quantity(interval.upper, unit)}
        if math.isinf(interval.upper):
            text = _("at least %(lower)s") % words
        elif math.isinf(interval.lower):
            text = _("at most %(upper)s") % words
        else:
            text = _("%(lower)s to %(upper)s") % words
            if unit and words["lower"].endswith(f"\u00a0{self._language.unit(unit)}"):
                words["lower"] = self._language.number(interval.lower)  # the unit once
                text = _("%(lower)s to %(upper)s") % words
        if interval.level >= 1:
            return _("certainly %(range)s") % {"range": text}
        return _("%(level)s sure: %(range)s") % {
            "level": self._language.percent(interval.level),
            "range": text,
        }

    def settles(self, summary: ControlSummary, reason: OpenReason) -> str:
        """What would answer an open question: the finding's own words, else more evidence."""
        control = summary.control
        if reason.remedy and (control is None or reason.remedy != control.remediation):
            return self._language.gettext(reason.remedy)
        return self._evidence_for(control)

    def silent(self, result: AuditResult, summary: Summary) -> list[tuple[str, int, str]]:
        """Rules with subjects that have no finding: title, their number, what would settle it."""
        known = {control.id: control for pack in result.packs for control in pack.controls}
        rows = []
        claimed = _open_claims(result)
        for driver in result.score.drivers:
            found = summary.controls.get(driver.control)
            noted = found.counts[Verdict.INCONCLUSIVE] if found else 0
            noted -= driver.control in claimed
            count = driver.tally.inconclusive - noted
            if count > 0:
                settled = self._evidence_for(known.get(driver.control))
                rows.append((self._language.gettext(driver.title), count, settled))
        return rows

    def _evidence_for(self, control: Control | None) -> str:
        """The evidence that the check of a control needs."""
        _ = self._language.gettext
        check = self._checks.get(control.check) if control else None
        parts = {
            "video": _("more video of these cameras, below video/"),
            "flows": _("flow exports or captures on their path, below flows/"),
            "recordings": _("the recorder's store and settings, declared in recordings/index.yaml"),
            "nodes": _("the missing columns of the inventory"),
        }
        wanted = [parts[need] for need in (check.needs if check else ()) if need in parts]
        return self._language.listing(wanted) or "–"

    def end_use_columns(self, summary: Summary) -> list[tuple[str, str]]:
        """Checks whose end use is shown, with a heading; only those with a finding about a node."""
        _ = self._language.gettext
        columns = [
            ("face-captured", _("Captures faces")),
            ("retention-over-limit", _("Keeps longer than allowed")),
            ("route-central", _("Feeds central collection")),
            ("route-undeclared-sink", _("Sends to undeclared receivers")),
            ("route-undeclared-relay", _("Passes video on, undeclared")),
        ]
        return [(check, heading) for check, heading in columns if check in summary.by_check]

    def end_use(self, part: Part) -> str:
        """How many of the checked nodes take part, and how many were not checked."""
        _, number = self._language.gettext, self._language.number
        if not part.checked and not part.not_checked:
            return "–"
        words = {"n": number(part.taking_part), "checked": number(part.checked)}
        text = _("%(n)s of %(checked)s checked") % words if part.checked else ""
        if part.inferred:
            text = self._language.listing(
                [text, _("%(n)s inferred") % {"n": number(part.inferred)}]
            )
        if part.not_checked:
            open_ones = _("%(n)s not checked") % {"n": number(part.not_checked)}
            text = f"{text}; {open_ones}" if text else open_ones
        return text

    def limits(self, control: Control) -> str:
        """The limit of a control in words."""
        _, quantity = self._language.gettext, self._language.quantity
        parts = []
        if control.min is not None:
            parts.append(_("at least %(q)s") % {"q": quantity(control.min, control.unit)})
        if control.max is not None:
            parts.append(_("at most %(q)s") % {"q": quantity(control.max, control.unit)})
        if control.limit_from:
            parts.append(_("as declared"))
        return self._language.listing(parts) or "–"

    def coverage_rows(self, result: AuditResult) -> list[tuple[str, int]]:
        """Kinds of evidence with the number of cameras each speaks about."""
        _, coverage = self._language.gettext, result.coverage
        return [
            (_("video"), coverage.cameras_with_video),
            (_("network flows"), coverage.cameras_with_flows),
            (_("recordings"), coverage.cameras_with_recordings),
        ]

    def coverage_sentence(self, result: AuditResult) -> str:
        """What else was read."""
        number, coverage = self._language.number, result.coverage
        text = self._language.gettext(
            "Read were %(flows)s flow records of %(exporters)s exporters and %(stores)s stores of "
            "recordings. A camera that no evidence speaks about was not found clean; it was not "
            "looked at."
        )
        return text % {
            "flows": number(coverage.flow_records),
            "exporters": number(coverage.exporters),
            "stores": number(coverage.stores),
        }

    def meanings(self) -> list[tuple[str, str]]:
        """Short glossary at the end of the report."""
        _ = self._language.gettext
        return [
            (
                _("at least, at most"),
                _(
                    "The score counts everything that could not be checked as broken (at least) "
                    "and as kept (at most). The grade follows the first."
                ),
            ),
            (_("proven"), _("The evidence itself shows it, at the place named.")),
            (
                _("inferred"),
                _(
                    "Concluded from correlation, with a known rate of false alarms. Never mixed "
                    "with what is proven."
                ),
            ),
            (
                _("95% sure"),
                _(
                    "The range holds the true value in at least 95 of 100 audits made this way. A "
                    "wide range means little evidence."
                ),
            ),
            (_("severity"), _("How bad it is, if it is true.")),
            (_("confidence"), _("How sure the measurement is, however bad it would be.")),
            (
                _("excepted"),
                _("A failure that somebody named answers for, until a date. It stays visible."),
            ),
            (
                _("law, guidance, standard, our default"),
                _(
                    "What stands behind a rule: law binds, guidance argues, a standard measures, a "
                    "default is only our own proposal."
                ),
            ),
        ]


def _open_claims(result: AuditResult) -> set[str]:
    """Controls whose claim is open: they have an inconclusive finding that is about no subject."""
    return {claim.control for claim in result.score.claims if claim.decision == "open"}


def places(finding: Finding) -> list[tuple[str, str]]:
    """Files that a finding rests on, each with its places in words, in the order given."""
    by_file: dict[str, list[str]] = {}
    for reference in finding.evidence:
        locations = by_file.setdefault(reference.file, [])
        if reference.location and reference.location not in locations:
            locations.append(reference.location)
    return [(file, ", ".join(locations)) for file, locations in by_file.items()]


SEVERITY_ORDER = {
    severity.value: rank
    for rank, severity in enumerate(
        (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
    )
}
