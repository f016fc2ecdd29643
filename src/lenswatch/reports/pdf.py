"""``report.pdf``: the report for paper and for filing, set by Typst, tagged to PDF/UA-1.

The template receives all text as data. The PDF holds what ``report.html`` holds except the table of
all findings, for which paper is no place: it says where to find them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from lenswatch.model import Finding, Verdict
from lenswatch.reports.end_use import end_use
from lenswatch.reports.html import camera_map, interval_methods, problem_place
from lenswatch.reports.language import Language
from lenswatch.reports.network import network_around, sankey
from lenswatch.reports.output import write_bytes
from lenswatch.reports.sample_view import SampledClaim, claims, draw
from lenswatch.reports.score_view import ScoreRow, score_view
from lenswatch.reports.summary import VERDICTS, ControlSummary, Summary, subject_name
from lenswatch.reports.wording import Wording, places

SHOWN_ROWS = 12
"""Failed subjects, districts, vendors or models printed in one table."""
SHOWN_PROBLEMS = 40
FONTS = ("Libertinus Serif", "Noto Serif CJK SC", "Noto Sans CJK SC", "Source Han Serif SC")
"""The first is inside Typst; the others serve Chinese where the machine has one of them."""


def write_pdf(summary: Summary, path: Path, language: Language) -> Path:
    """Write the PDF. Equal input on an equal set of fonts gives an equal file.

    Where no font of the machine has a character that occurs, the file is written without the
    promise of PDF/UA, which forbids the empty box that stands for it.
    """
    import typst

    template = files("lenswatch.reports").joinpath("templates", "report.typ").read_bytes()
    data = json.dumps(_clean(_Content(summary, language).data()), ensure_ascii=False)
    inputs = {"data": data.encode("utf-8", "replace").decode()}
    moment = summary.result.measurements.deployment.as_of
    # the stub's first overload says None, for a call that names an output file
    compile_pdf = cast(
        Callable[..., bytes],
        partial(typst.compile, template, format="pdf", sys_inputs=inputs, timestamp=moment),
    )
    try:
        document = compile_pdf(pdf_standards="ua-1")
    except typst.TypstError as error:
        if "PDF/UA" not in str(error):
            raise
        document = compile_pdf()
    return write_bytes(path, document)


class _Content:
    """Everything the template prints, already in words."""

    def __init__(self, summary: Summary, language: Language) -> None:
        self._summary, self._result = summary, summary.result
        self._language, self._wording = language, Wording(language)
        self._end_use_columns = self._wording.end_use_columns(summary)

    def data(self) -> dict[str, Any]:
        result, language, wording = self._result, self._language, self._wording
        deployment = result.measurements.deployment
        score = score_view(result.score, result.packs, language)
        problems = result.measurements.problems
        methods = interval_methods(self._summary, language)
        _ = language.gettext
        data: dict[str, Any] = {
            "language": language.code.split("-")[0],
            "fonts": list(FONTS),
            "words": self._words(),
            "name": deployment.name,
            "tool": result.tool,
            "subtitle": self._subtitle(),
            "score": {
                "low": score.low,
                "high": score.high,
                "grade": score.grade,
                "text": self._score_text(score.low, score.high),
            },
            "headline": wording.headline(result, self._summary),
            "tally": [
                (verdict.value, language.number(self._summary.counts[verdict]))
                for verdict in VERDICTS
            ],
            "claims": [
                {
                    key.replace("_", "-"): getattr(claim, key)
                    for key in SampledClaim.__dataclass_fields__
                }
                for claim in claims(result, self._summary, language)
            ],
            "draw": draw(result, language),
            "drivers": [
                {
                    "title": _(step.title),
                    "lost": language.points(step.lost),
                    "open": language.points(step.open),
                    "start": max(step.before - step.lost, 0.0),
                    "lost-points": step.lost,
                    "open-points": step.open,
                }
                for step in score.steps
            ],
            "packs-score": self._rows(score.packs),
            "districts": self._rows(score.districts),
            "vendors": self._rows(score.vendors),
            "models": self._rows(score.models),
            "failed": [self._failed(c) for c in self._summary.worst_controls(Verdict.FAIL)],
            "unchecked": self._unchecked(),
            "problems": [
                {
                    "place": problem_place(problem),
                    "message": _(problem.message),
                    "remedy": _(problem.remedy),
                }
                for problem in problems[:SHOWN_PROBLEMS]
            ],
            "more-problems": self._more(len(problems) - SHOWN_PROBLEMS),
            "exceptions": [
                {
                    "control": exception.control,
                    "subject": wording.everywhere(exception.control, self._summary)
                    if exception.subject == "*"
                    else self._subject(exception.subject),
                    "reason": exception.reason,
                    "approved": exception.approved_by,
                    "until": language.date(exception.expires),
                }
                for exception in result.exceptions
            ],
            "outside": wording.outside(result),
            "weights": wording.weights(result),
            "conflicts": wording.conflicts(result.packs),
            "without-exceptions": wording.without_exceptions(result),
            "end-use-columns": [heading for _check, heading in self._end_use_columns],
            "end-use": self._end_use(),
            "coverage": [
                {
                    "name": name,
                    "count": language.number(count),
                    "percent": 100 * count / max(result.coverage.cameras, 1),
                }
                for name, count in wording.coverage_rows(result)
            ],
            "coverage-sentence": wording.coverage_sentence(result),
            "meanings": wording.meanings(),
            "methods": _(
                "Intervals in this report were computed by: %(methods)s. The documentation's page "
                "on statistics explains each."
            )
            % {"methods": language.listing(methods)}
            if methods
            else "",
            "packs": self._packs(),
            "digest": result.bundle_digest,
            "as-of": language.moment(deployment.as_of),
        }
        flows = sankey(self._summary, language)
        if flows is not None:
            data["sankey"], data["sankey-text"] = flows.svg, flows.sentence
        city = camera_map(self._summary, language)
        if city is not None:
            data["map"] = city.svg
            data["map-key"] = (
                _("the darker a cell, the larger the share of its cameras with a failure")
                if city.gridded
                else _(
                    "square: a failure; triangle: something could not be checked; circle: passed "
                    "or excepted; ring: no finding"
                )
            )
        return data

    def _end_use(self) -> list[list[str]]:
        number, words = self._language.number, self._wording.end_use
        return [
            [f"{use.vendor} {use.model}".strip(), number(use.nodes)]
            + [words(use.parts[check]) for check, _heading in self._end_use_columns]
            for use in end_use(self._summary)[: 2 * SHOWN_ROWS]
        ]

    def _subtitle(self) -> str:
        deployment = self._result.measurements.deployment
        _ = self._language.gettext
        parts = []
        if deployment.operator:
            parts.append(f"{_('Operated by')} {deployment.operator}.")
        if deployment.jurisdiction:
            parts.append(_("Jurisdiction: %(code)s") % {"code": deployment.jurisdiction} + ".")
        moment = self._language.moment(deployment.as_of)
        parts.append(_("As things stood on %(moment)s.") % {"moment": moment})
        return " ".join(parts)

    def _score_text(self, low: float, high: float) -> str:
        _, points = self._language.gettext, self._language.points
        if high > low:
            at_least = _("At least %(low)s of 100 points") % {"low": points(low)}
            return f"{at_least} · {_('at most %(high)s') % {'high': points(high)}}"
        return _("%(low)s of 100 points") % {"low": points(low)}

    def _more(self, number: int) -> str:
        if number <= 0:
            return ""
        text = self._language.gettext("%(n)s more stand in findings.json.")
        return text % {"n": self._language.number(number)}

    def _rows(self, rows: tuple[ScoreRow, ...]) -> list[dict[str, Any]]:
        points = self._language.points
        return [
            {
                "name": row.name or self._language.gettext("not stated"),
                "low": row.low,
                "high": row.high,
                "text": points(row.low)
                + (f"–{points(row.high)}" if row.high > row.low else "")
                + (f" ({row.grade})" if row.grade else ""),
            }
            for row in rows[:SHOWN_ROWS]
        ]

    def _failed(self, control: ControlSummary) -> dict[str, Any]:
        more = control.counts[Verdict.FAIL] - min(len(control.failed), SHOWN_ROWS)
        around = network_around(self._summary, control, self._language)
        picture = {"around": around.svg, "around-text": around.sentence} if around else {}
        return picture | {
            "id": control.id,
            "title": self._language.gettext(control.title),
            "severity": self._wording.severities[control.severity.value],
            "source": self._source(control),
            "sentence": self._wording.control_sentence(control),
            "remediation": self._language.gettext(control.remediation),
            "rows": [self._finding(finding) for finding in control.failed[:SHOWN_ROWS]],
            "more": self._more(more),
        }

    def _finding(self, finding: Finding) -> dict[str, str]:
        quantity, wording = self._language.quantity, self._wording
        sure = [wording.bases[finding.basis.value], wording.confidences[finding.confidence.value]]
        if finding.interval is not None:
            sure.append(wording.interval(finding))
        return {
            "subject": self._subject(finding.subject),
            "measured": quantity(finding.measured, finding.unit),
            "limit": quantity(finding.limit, finding.unit),
            "sure": self._language.listing(sure),
            "reason": self._language.gettext(finding.reason),
            "evidence": "; ".join(" ".join(part).strip() for part in places(finding)[:3]),
        }

    def _unchecked(self) -> list[dict[str, str]]:
        _ = self._language.gettext
        return [
            {
                "title": _(control.title),
                "count": self._language.number(reason.count),
                "reason": _(reason.reason) or _("other reasons, in findings.csv"),
                "remedy": self._wording.settles(control, reason),
            }
            for control in self._summary.worst_controls(Verdict.INCONCLUSIVE)
            for reason in control.open_reasons.values()
        ] + [
            {
                "title": title,
                "count": self._language.number(count),
                "reason": _("the evidence says nothing about them"),
                "remedy": settled,
            }
            for title, count, settled in self._wording.silent(self._result, self._summary)
        ]

    def _packs(self) -> list[dict[str, Any]]:
        _ = self._language.gettext
        return [
            {
                "title": _(pack.title),
                "version": _("version %(v)s") % {"v": pack.version},
                "digest": pack.digest,
                "controls": [
                    {
                        "title": _(control.title),
                        "id": control.id,
                        "source": self._source(control),
                        "limit": self._wording.limits(control.control) if control.control else "",
                        "weight": self._language.number(control.control.weight)
                        if control.control
                        else "",
                    }
                    for control in self._summary.controls_of(pack)
                ],
            }
            for pack in self._result.packs
        ]

    def _source(self, summary: ControlSummary) -> str:
        control = summary.control
        if control is None:
            return ""
        text = f"{self._wording.forces[control.force.value]}: {control.source}"
        if control.basis.value == "second-hand":
            note = "(known from secondary sources, not read in the original)"
            text += " " + self._language.gettext(note)
        return text

    def _subject(self, subject: str) -> str:
        kind, name = subject_name(subject)
        words = self._wording.subjects
        return f"{words.get(kind, kind)} {name}" if kind else words.get(name, name)

    def _words(self) -> dict[str, Any]:
        _ = self._language.gettext
        return {
            "verdicts": self._wording.verdicts,
            "title": _("Camera network audit"),
            "grade": _("Grade"),
            "score": _("Score"),
            "points": _("0 to 100 points"),
            "sample": _("Audit by sample"),
            "sample-intro": _(
                "Not every camera was examined. Which ones, and in which order, follows from "
                "the inventory, a nonce and a random number, and was drawn again by this "
                "audit. That the number is public, and was drawn after the commitment was "
                "published, is for the reader to check: both stand below. What the sample "
                "says about all cameras holds at whatever camera the auditor stopped."
            ),
            "claim": _("Claim"),
            "examined": _("Examined"),
            "fail": _("Fail"),
            "not-checked": _("Could not be checked"),
            "break": _("Of all cameras, so many break it"),
            "draw": _("To draw the sample again"),
            "drivers": _("What drives the score"),
            "no-drivers": _("Nothing: no rule took a point away."),
            "drivers-intro": _(
                "Every rule starts with its share of the 100 points. Points are lost where the "
                "rule is broken, and stay open where it could not be checked. The score counts "
                "open points as lost, so that leaving evidence out never helps."
            ),
            "rule": _("Rule"),
            "lost": _("Lost"),
            "open": _("Open"),
            "waterfall": _("From 100 points down to the score"),
            "by-pack": _("Set of rules"),
            "failures": _("What must change"),
            "none-broken": _("No rule was found broken."),
            "remedy": _("Remedy."),
            "at-subject": _("Where"),
            "measured": _("Measured"),
            "limit": _("Limit"),
            "how-sure": _("How sure"),
            "found": _("What was found"),
            "evidence": _("Evidence"),
            "unchecked": _("What could not be checked"),
            "unchecked-intro": _(
                "Nothing is said here about the following, neither good nor bad. Each line names "
                "what was missing and what would settle it."
            ),
            "all-checked": _("Everything that the rules ask was checked."),
            "cases": _("Cases"),
            "why": _("Why"),
            "settle": _("What would settle it"),
            "problems": _("Problems with the evidence"),
            "file": _("File and place"),
            "wrong": _("What is wrong"),
            "todo": _("What to do"),
            "exceptions": _("Exceptions"),
            "exceptions-intro": _(
                "Somebody answers for these failures until the day given. They stay failures, and "
                "stay visible."
            ),
            "none": _("None."),
            "reason": _("Reason"),
            "approved": _("Approved by"),
            "until": _("Until"),
            "places": _("Where, and whose equipment"),
            "district": _("District"),
            "end-use": _("What the equipment takes part in"),
            "equipment": _("Vendor and model"),
            "nodes": _("Nodes"),
            "vendor": _("Vendor"),
            "model": _("Model"),
            "network": _("Where the video goes"),
            "network-alt": _(
                "From districts to the places where their cameras' video comes to rest"
            ),
            "network-note": _(
                "Over proven hops only. Where a recorder passes video on, octets are attributed in "
                "proportion: an estimate."
            ),
            "map": _("Map of the cameras"),
            "map-alt": _("Map of the cameras, marked by the worst verdict about each"),
            "rests-on": _("What this rests on"),
            "coverage": _("How much was looked at"),
            "cameras": _("Cameras"),
            "words": _("How to read the words"),
            "rules": _("Rules applied"),
            "source": _("Source"),
            "weight": _("Weight"),
            "identity": _("Identity of this audit"),
            "program": _("Program"),
            "as-of": _("Judged as of"),
            "closing": _(
                "All findings stand in findings.csv and findings.json beside this report. It holds "
                "no picture, no face and no address of a bystander."
            ),
        }


_PICTURES = ("map", "sankey", "around")


def _clean(value: Any) -> Any:
    """Text without control characters, long words given places where a line may break."""
    if isinstance(value, dict):
        return {
            key: item
            if key in _PICTURES and isinstance(item, str) and item.startswith("<svg")
            else _clean(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        text = "".join(c if c.isprintable() or c == "\u00a0" else " " for c in value)
        return " ".join(_breakable(word) for word in text.split(" "))
    return value


def _breakable(word: str) -> str:
    if len(word) <= 24:
        return word
    return "\u200b".join(word[start : start + 12] for start in range(0, len(word), 12))
