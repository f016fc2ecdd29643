"""What the findings add up to, and what exceptions do to them."""

from __future__ import annotations

from lenswatch.scoring.exceptions import apply_exceptions, exception_problems
from lenswatch.scoring.sampled import Sample
from lenswatch.scoring.totals import (
    GRADES,
    Driver,
    Part,
    Score,
    Tally,
    grade_of,
    grade_range,
    score,
)

__all__ = [
    "GRADES",
    "Driver",
    "Part",
    "Sample",
    "Score",
    "Tally",
    "apply_exceptions",
    "exception_problems",
    "grade_of",
    "grade_range",
    "score",
]
