"""What the findings add up to, and what exceptions do to them."""

from __future__ import annotations

from lenswatch.scoring.exceptions import apply_exceptions, exception_problems
from lenswatch.scoring.plan_file import inventory_root, read_plan
from lenswatch.scoring.sampled import (
    CLAIM_EVIDENCE,
    PLAN,
    Claim,
    Sample,
    claim_findings,
    judge_claim,
)
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
from lenswatch.scoring.units import OF_CAMERAS

__all__ = [
    "CLAIM_EVIDENCE",
    "GRADES",
    "OF_CAMERAS",
    "PLAN",
    "Claim",
    "Driver",
    "Part",
    "Sample",
    "Score",
    "Tally",
    "apply_exceptions",
    "claim_findings",
    "exception_problems",
    "grade_of",
    "grade_range",
    "inventory_root",
    "judge_claim",
    "read_plan",
    "score",
]
