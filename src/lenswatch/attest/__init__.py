"""Proof that a report is the one that was written, from the evidence that was given.

Certificates and registers, which few commands need and which load cryptography, are modules of
their own: :mod:`lenswatch.attest.certificate`, :mod:`lenswatch.attest.register`.
"""

from __future__ import annotations

from lenswatch.attest.log import (
    Checkpoint,
    Verification,
    check_proof,
    prove_finding,
    read_checkpoint,
    read_settings,
    verify_log,
    write_log,
)
from lenswatch.attest.merkle import merkle_root

__all__ = [
    "Checkpoint",
    "Verification",
    "check_proof",
    "merkle_root",
    "prove_finding",
    "read_checkpoint",
    "read_settings",
    "verify_log",
    "write_log",
]
