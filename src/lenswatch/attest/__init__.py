"""Proof that a report is the one that was written, from the evidence that was given."""

from __future__ import annotations

from lenswatch.attest.merkle import merkle_root

__all__ = ["merkle_root"]
