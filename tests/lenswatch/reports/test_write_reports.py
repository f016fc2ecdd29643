from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lenswatch.errors import UsageError
from lenswatch.model import Verdict
from lenswatch.reports import write_reports
from lenswatch.reports.language import languages, load_language
from lenswatch.reports.output import text_output
from lenswatch.reports.pdf import write_pdf
from lenswatch.reports.score_view import STEPS, score_view
from lenswatch.reports.summary import Summary
from lenswatch.result import AuditResult
from tests.lenswatch.reports import factories

NAMES = ["findings.json", "findings.csv", "junit.xml", "oscal.json", "report.html", "report.pdf"]


@pytest.mark.parametrize("made", [factories.city, factories.hostile])
def test_every_report_is_written(made: Callable[[], AuditResult], tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    stages: list[tuple[str, int, int]] = []
    written = write_reports(made(), out, progress=lambda *stage: stages.append(stage))
    assert [path.name for path in written] == NAMES
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    assert all(path.stat().st_size for path in written)
    assert stages[-1] == ("reports", 6, 6)
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_unknown_language_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="en"):
        write_reports(factories.city(), tmp_path / "out", language="tlh")
    assert not (tmp_path / "out").exists()


def test_pdf_without_a_font_for_a_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PDF/UA forbids the empty box of a missing glyph; the report is written all the same."""
    import typst

    compile_pdf = typst.compile
    tried: list[object] = []

    def without_glyph(*given: Any, **named: Any) -> Any:
        tried.append(named.get("pdf_standards"))
        if named.get("pdf_standards"):
            raise typst.TypstError("PDF/UA-1 error: the text could not be displayed", "")
        return compile_pdf(*given, **named)

    monkeypatch.setattr(typst, "compile", without_glyph)
    path = write_pdf(Summary(factories.result([])), tmp_path / "report.pdf", load_language("en"))
    assert path.read_bytes().startswith(b"%PDF-")
    assert tried == ["ua-1", None]


def test_the_waterfall_adds_small_steps_up() -> None:
    controls = tuple(
        replace(factories.FACES, id=f"core/rule-{row:02d}", title=f"Rule {row}")
        for row in range(30)
    )
    pack = replace(factories.PACK, controls=controls)
    findings = [
        factories.finding(control, "node:cam-000", Verdict.FAIL if row % 2 else Verdict.PASS)
        for row, control in enumerate(controls)
    ]
    result = factories.result(findings, factories.inventory(2), packs=(pack,))
    view = score_view(result.score, result.packs, load_language("en"))
    assert len(view.steps) == STEPS
    assert view.steps[-1].title == "11 more rules"
    taken = sum(step.lost + step.open for step in view.steps)
    assert taken == pytest.approx(100 - result.score.low)
    assert view.steps[-1].before == pytest.approx(
        100 - sum(step.lost + step.open for step in view.steps[:-1])
    )


def test_a_report_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")

    def write_half() -> None:
        with text_output(path) as stream:
            stream.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "h", "–"),
        (float("nan"), "", "–"),
        (float("inf"), "hours", "∞\u00a0h"),
        (48.0, "hours", "48\u00a0h"),
        (720.0, "h", "720\u00a0h (30 days)"),
        (0.123456, "share", "12.3%"),
        (0.00012345, "px", "0.0001234\u00a0px"),
        (1234567.0, "records", "1,234,567\u00a0records"),
        (0.0, "", "0"),
    ],
)
def test_quantities(value: float | None, unit: str, text: str) -> None:
    assert load_language("en").quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0"), (0.01, "0.1"), (41.26, "41.3"), (99.99, "99.9"), (100.0, "100.0")],
)
def test_points_are_never_rounded_to_perfection(value: float, text: str) -> None:
    assert load_language("en").points(value) == text


def test_every_catalogue_loads() -> None:
    for code in languages():
        assert load_language(code).gettext("Grade")
