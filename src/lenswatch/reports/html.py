"""``report.html``: one self-contained page that an auditor can hand in.

Nothing in it comes from elsewhere: style, script and pictures are inline, and its content policy
forbids every request and every script but its own. All text is escaped by the template engine;
names from the inventory are treated as hostile.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lenswatch.errors import location
from lenswatch.model import Problem, Verdict
from lenswatch.reports import charts, network
from lenswatch.reports.end_use import end_use
from lenswatch.reports.language import Language
from lenswatch.reports.output import text_output
from lenswatch.reports.sample_view import claims, draw
from lenswatch.reports.score_view import score_view
from lenswatch.reports.summary import VERDICTS, Summary, subject_name
from lenswatch.reports.wording import MARKS, SEVERITY_ORDER, Wording, places

SHOWN_GROUPS = 40
"""Districts, vendors or models written out; ``findings.json`` holds all."""
SHOWN_PROBLEMS = 200
NAMED_DISTRICTS = 16
"""Districts whose names are written on the map; more would lie on top of each other."""


def write_html(summary: Summary, path: Path, language: Language) -> Path:
    """Write the page."""
    template = _environment(language).get_template("report.html.j2")
    with text_output(path) as stream:
        stream.writelines(template.generate(_context(summary, language)))
    return path


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("lenswatch.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        language.gettext, language.ngettext, newstyle=False
    )
    return environment


def _context(summary: Summary, language: Language) -> dict[str, Any]:
    result, wording = summary.result, Wording(language)
    deployment, measurements = result.measurements.deployment, result.measurements
    style, script = _inline("report.css"), _inline("report.js")
    score = score_view(result.score, result.packs, language)
    failed = [
        _Control(control, wording, network.network_around(summary, control, language))
        for control in summary.worst_controls(Verdict.FAIL)
    ]
    city = camera_map(summary, language)
    tally = [(verdict.value, summary.counts[verdict]) for verdict in VERDICTS]
    return {
        "language": language.code,
        "style": Markup(style),  # noqa: S704  (our own file)
        "script": Markup(script),  # noqa: S704
        "style_hash": _source_hash(style),
        "script_hash": _source_hash(script),
        "result": result,
        "deployment": deployment,
        "today": deployment.as_of.date(),
        "score": score,
        "drivers": score.steps,
        "by_pack": score.packs,
        "by_district": score.districts,
        "by_vendor": score.vendors,
        "by_model": score.models,
        "headline": wording.headline(result, summary),
        "claims": claims(result, summary, language),
        "draw": draw(result, language),
        "tally": tally,
        "failed": failed,
        "failed_ids": {control.id for control in failed},
        "open_controls": summary.worst_controls(Verdict.INCONCLUSIVE),
        "problems": measurements.problems,
        "exceptions": result.exceptions,
        "map": city,
        "sankey": network.sankey(summary, language),
        "listed": summary.listed,
        "unlisted": summary.unlisted,
        "coverage": result.coverage,
        "coverage_rows": wording.coverage_rows(result),
        "coverage_sentence": wording.coverage_sentence(result),
        "meanings": wording.meanings(),
        "methods": interval_methods(summary, language),
        "packs": [
            (pack, [_PackControl(control) for control in summary.controls_of(pack)])
            for pack in result.packs
        ],
        "sections": _sections(language, sampled=result.sample is not None),
        "shown_groups": SHOWN_GROUPS,
        "shown_problems": SHOWN_PROBLEMS,
        "marks": MARKS,
        "verdict_words": wording.verdicts,
        "severity_words": wording.severities,
        "confidence_words": wording.confidences,
        "basis_words": wording.bases,
        "force_words": wording.forces,
        "subject_words": wording.subjects,
        "severity_order": SEVERITY_ORDER,
        "limits": wording.limits,
        "interval": wording.interval,
        "weights": wording.weights(result),
        "conflicts": wording.conflicts(result.packs),
        "everywhere": lambda control: wording.everywhere(control, summary),
        "end_uses": end_use(summary),
        "end_use_columns": wording.end_use_columns(summary),
        "end_use_words": wording.end_use,
        "silent": wording.silent(result, summary),
        "settles": wording.settles,
        "places": places,
        "without_exceptions": wording.without_exceptions(result),
        "outside": wording.outside(result),
        "listing": language.listing,
        "number": language.number,
        "quantity": language.quantity,
        "percent": language.percent,
        "points": language.points,
        "date": language.date,
        "moment": language.moment,
        "distance": language.distance,
        "subject_name": subject_name,
        "anchor": _anchor,
        "place": problem_place,
        "key": _key,
        "range_bar": _safe(charts.range_bar),
        "loss_bar": _safe(charts.loss_bar),
        "interval_bar": _safe(charts.interval_bar),
    }


class _Control:
    """A broken control with what the page says about it."""

    def __init__(self, summary: Any, wording: Wording, around: network.Surroundings | None) -> None:
        self._summary = summary
        self.around = around
        self.sentence = wording.control_sentence(summary)
        self.scale = charts.interval_scale(summary.failed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._summary, name)


class _PackControl:
    """A control in the list of rules, with its verdicts, worst first."""

    def __init__(self, summary: Any) -> None:
        self.id, self.title, self.control = summary.id, summary.title, summary.control
        self.tally = [
            (verdict.value, summary.counts[verdict])
            for verdict in VERDICTS
            if summary.counts[verdict]
        ]


def _sections(language: Language, *, sampled: bool) -> list[tuple[str, str]]:
    _ = language.gettext
    return [
        *([("sample", _("Audit by sample"))] if sampled else []),
        ("drivers", _("What drives the score")),
        ("failures", _("What must change")),
        ("unchecked", _("What could not be checked")),
        ("exceptions", _("Exceptions")),
        ("places", _("Where, and whose equipment")),
        ("findings", _("All findings")),
        ("rests-on", _("What this rests on")),
    ]


def camera_map(summary: Summary, language: Language) -> charts.CityMap | None:
    """The map of the cameras, None where the inventory has no positions."""
    inventory = summary.inventory
    lat, lon = inventory.lat, inventory.lon
    if lat is None or lon is None or not len(inventory.cameras):
        return None
    cameras = inventory.cameras
    districts: list[tuple[str, float, float]] = []
    encoded = inventory.codes("district")
    if encoded is not None and len(encoded[1]) <= NAMED_DISTRICTS:
        codes, names = encoded[0][cameras], encoded[1]
        for code, name in enumerate(names):
            inside = (codes == code) & np.isfinite(lat[cameras]) & np.isfinite(lon[cameras])
            if name and inside.any():
                middle_lat = float(lat[cameras][inside].mean())
                districts.append((name, middle_lat, float(lon[cameras][inside].mean())))
    return charts.city_map(
        lat[cameras],
        lon[cameras],
        summary.worst_by_node[cameras],
        label=language.gettext("Map of the cameras, marked by the worst verdict about each"),
        districts=districts,
        distance=language.distance,
    )


def interval_methods(summary: Summary, language: Language) -> list[str]:
    """Names of the methods behind the intervals that the report shows."""
    intervals = (finding.interval for finding in summary.listed if finding.interval is not None)
    return [language.gettext(method) for method in sorted({one.method for one in intervals})]


def problem_place(problem: Problem) -> str:
    """File and line or offset of a problem."""
    return location(problem.file, problem.line, problem.offset)


def _inline(name: str) -> str:
    text = files("lenswatch.reports").joinpath("templates", name).read_text("utf-8")
    return "\n" + text


def _source_hash(text: str) -> str:
    """The inline block as the content policy names it (CSP level 3, section 6.7.3.3)."""
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


def _anchor(control: str) -> str:
    """A fragment id of letters, digits, dashes and ``_``, different for different controls."""
    return re.sub(r"[^A-Za-z0-9-]", lambda match: f"_{ord(match[0]):x}_", control)


def _key(kind: str) -> Markup:
    return Markup(  # noqa: S704  (kinds are our own words)
        '<svg viewBox="0 0 10 10" aria-hidden="true" focusable="false">'
        f'<rect width="10" height="10" class="v-{kind}"/></svg>'
    )


def _safe(chart: Any) -> Any:
    """Charts escape what they draw themselves."""
    return lambda *values: Markup(chart(*values))  # noqa: S704
