"""Reports: one audit result, written for a machine, a spreadsheet, a build and a person."""

from __future__ import annotations

from lenswatch.reports._write import write_reports

__all__ = ["write_reports"]
