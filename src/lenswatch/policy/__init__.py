"""Rules as data: packs of controls, each with its source, force and limit."""

from __future__ import annotations

from lenswatch.policy.model import Control, Force, Pack, PolicyException, SourceBasis

__all__ = ["Control", "Force", "Pack", "PolicyException", "SourceBasis"]
