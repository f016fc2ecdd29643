"""Writes all reports of an audit into one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lenswatch.result import AuditResult

Progress = Callable[[str, int, int], None]


def write_reports(
    result: AuditResult,
    out: Path,
    *,
    language: str = "en",
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write every report into ``out``, made where it is absent, and return their paths.

    ``findings.json`` comes first: it is the result, the others are views of it. ``language`` is
    the language of the page and the PDF (``en`` or a catalogue's code). Raises
    :class:`~lenswatch.errors.UsageError` for an unknown language before anything is written, and
    ``OSError`` where the folder cannot be written.
    """
    from lenswatch.reports.csv_report import write_csv
    from lenswatch.reports.html import write_html
    from lenswatch.reports.json_report import write_json
    from lenswatch.reports.junit import write_junit
    from lenswatch.reports.language import load_language
    from lenswatch.reports.oscal import write_oscal
    from lenswatch.reports.pdf import write_pdf
    from lenswatch.reports.summary import Summary

    words = load_language(language)
    out.mkdir(parents=True, exist_ok=True)
    summary = Summary(result)
    writers: tuple[tuple[str, Callable[[Path], Path]], ...] = (
        ("findings.json", lambda path: write_json(summary, path)),
        ("findings.csv", lambda path: write_csv(result.findings, path)),
        (
            "junit.xml",
            lambda path: write_junit(result.findings, path, certified=result.certified),
        ),
        ("oscal.json", lambda path: write_oscal(summary, path)),
        ("report.html", lambda path: write_html(summary, path, words)),
        ("report.pdf", lambda path: write_pdf(summary, path, words)),
    )
    written = []
    for done, (name, write) in enumerate(writers):
        if progress is not None:
            progress("reports", done, len(writers))
        written.append(write(out / name))
    if progress is not None:
        progress("reports", len(writers), len(writers))
    return tuple(written)
