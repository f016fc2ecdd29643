"""The checks, in one explicit tuple. A check outside this package comes in by an entry point."""

from __future__ import annotations

from importlib.metadata import entry_points

from lenswatch.checks import (
    capability_over_declared,
    edge_face_upload,
    equipment_barred,
    face_captured,
    face_identifiable,
    mask_leak,
    mask_missing,
    mask_weak,
    retention_configured_vs_actual,
    retention_copies,
    retention_escapes,
    retention_export_sinks,
    retention_mask_is_not_privacy,
    retention_over_limit,
    retention_unbounded,
    retention_under_minimum,
    route_central,
    route_concentration,
    route_cross_border,
    route_metadata_push,
    route_mirrored,
    route_plaintext,
    route_undeclared_relay,
    route_undeclared_sink,
)
from lenswatch.checks._base import Check
from lenswatch.errors import UsageError

__all__ = ["CHECKS", "Check", "load_checks"]

CHECKS: tuple[Check, ...] = (
    capability_over_declared.CHECK,
    edge_face_upload.CHECK,
    equipment_barred.CHECK,
    face_captured.CHECK,
    face_identifiable.CHECK,
    mask_leak.CHECK,
    mask_missing.CHECK,
    mask_weak.CHECK,
    retention_configured_vs_actual.CHECK,
    retention_copies.CHECK,
    retention_escapes.CHECK,
    retention_export_sinks.CHECK,
    retention_mask_is_not_privacy.CHECK,
    retention_over_limit.CHECK,
    retention_unbounded.CHECK,
    retention_under_minimum.CHECK,
    route_central.CHECK,
    route_concentration.CHECK,
    route_cross_border.CHECK,
    route_metadata_push.CHECK,
    route_mirrored.CHECK,
    route_plaintext.CHECK,
    route_undeclared_relay.CHECK,
    route_undeclared_sink.CHECK,
)
"""Every check of lenswatch itself, sorted by id."""


def load_checks() -> dict[str, Check]:
    """Our own checks and those of installed packages (entry points ``lenswatch.checks``), by id.

    Raises :class:`UsageError` where a foreign check is no :class:`Check` or takes an id that is
    already in use: a replaced check must never pass for ours.
    """
    checks = {check.id: check for check in CHECKS}
    for entry in sorted(entry_points(group="lenswatch.checks"), key=lambda e: e.name):
        check = entry.load()
        if not isinstance(check, Check):
            raise UsageError(f"entry point {entry.name} of lenswatch.checks is no Check")
        if check.id in checks:
            raise UsageError(f"two checks have the id {check.id}; rename the one of {entry.name}")
        checks[check.id] = check
    return checks
