"""Rules as data: packs of controls, each with its source, force and limit."""

from __future__ import annotations

from lenswatch.policy.exceptions import load_exceptions
from lenswatch.policy.loading import DEFAULT_PACK, load_pack, load_packs, shipped_packs
from lenswatch.policy.model import (
    Control,
    Force,
    Pack,
    PolicyException,
    SourceBasis,
    Subjects,
)

__all__ = [
    "DEFAULT_PACK",
    "Control",
    "Force",
    "Pack",
    "PolicyException",
    "SourceBasis",
    "Subjects",
    "load_exceptions",
    "load_pack",
    "load_packs",
    "shipped_packs",
]
