"""Auditing a city by sample: how many cameras, which ones, and what may be claimed when.

Four modules: ``sequences`` (confidence sequences that stay valid whenever the auditor stops),
``weighted`` (the same where cameras of higher risk come first), ``plans`` (how many cameras and
frames a claim takes), ``draws`` (a sample that neither side can steer, and that anyone can draw
again).
"""

from __future__ import annotations

from lenswatch.sampling.draws import commit, draw, seed_from
from lenswatch.sampling.plans import (
    Plan,
    TwoStagePlan,
    fixed_sample_size,
    frames_to_rule_out,
    plan,
    sample_size,
    sensitivity_bound,
    two_stage_plan,
)
from lenswatch.sampling.sequences import (
    Stand,
    evidence_against,
    evidence_against_total,
    lower_bound,
    stand,
    upper_bound,
)
from lenswatch.sampling.weighted import draw_weighted, weighted_upper_bound

__all__ = [
    "Plan",
    "Stand",
    "TwoStagePlan",
    "commit",
    "draw",
    "draw_weighted",
    "evidence_against",
    "evidence_against_total",
    "fixed_sample_size",
    "frames_to_rule_out",
    "lower_bound",
    "plan",
    "sample_size",
    "seed_from",
    "sensitivity_bound",
    "stand",
    "two_stage_plan",
    "upper_bound",
    "weighted_upper_bound",
]
