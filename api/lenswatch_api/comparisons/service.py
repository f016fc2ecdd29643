"""Putting two audits side by side, each only as far as the principal may read."""

from __future__ import annotations

from sqlalchemy.orm import Session

from lenswatch.comparison import Flip, compare, points_moved
from lenswatch.reports.json_reader import losses
from lenswatch_api.audits import repository as audits
from lenswatch_api.audits.service import require_succeeded, schema
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.comparisons.schemas import (
    Comparison,
    ComparisonQuery,
    ControlChange,
    ScorePair,
    SubjectChange,
)
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.findings import repository as findings
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Audit as Row


def find_pair(
    session: Session, principal: Principal, audit_id: str, before: str | None
) -> tuple[Row, Row]:
    """The earlier and the later audit.

    Raises ApiProblem 404, and 409 where one has no results, where they are of two deployments, or
    where nothing came before.
    """
    after = require_succeeded(session, principal, audit_id)
    if before is None:
        earlier = audits.succeeded_before(session, after)
        if earlier is None:
            raise ApiProblem(
                409,
                "No audit of this deployment succeeded before this one. Choose another to "
                "compare with.",
                kind="nothing-before",
            )
        return earlier, after
    earlier = require_succeeded(session, principal, before)
    if earlier.deployment_id != after.deployment_id:
        raise ApiProblem(
            409,
            "The two audits are of different deployments. Compare audits of one.",
            kind="different-deployments",
        )
    return earlier, after


def read(
    state: ServiceState, principal: Principal, audit_id: str, query: ComparisonQuery
) -> Comparison:
    """Compare; raises what :func:`find_pair` raises, and ApiProblem 413 for very large audits."""
    most = state.settings.limits.compared_findings
    with state.database.read() as session:
        before, after = find_pair(session, principal, audit_id, query.before)
        if (before.findings or 0) + (after.findings or 0) > most:
            raise ApiProblem(
                413,
                f"Together the two audits have more than {most} findings. Download findings.json "
                "of both and run `lenswatch compare` on them.",
                kind="comparison-too-large",
            )
        found = compare(
            findings.walk(session, before.id, principal.vendor),
            findings.walk(session, after.id, principal.vendor),
        )
    scores = Scope.SCORES_READ in principal.scopes
    moved = points_moved(losses(before.score or {}), losses(after.score or {}))
    points = dict(moved) if scores else {}
    # a change that is known to be real, then one that nothing tells about, then noise
    flips = sorted(found.flips, key=lambda flip: (flip.beyond_noise is None) + 2 * _noise(flip))
    return Comparison(
        before=schema(before),
        after=schema(after),
        score=ScorePair(before=before.score["low"], after=after.score["low"])
        if scores and before.score and after.score
        else None,
        same_rules=(before.packs, before.tool) == (after.packs, after.tool),
        controls=[
            ControlChange(
                control=change.control,
                better=change.better,
                worse=change.worse,
                lost=change.lost,
                gained=change.gained,
                unchanged=change.unchanged,
                p_value=change.p_value,
                beyond_noise=change.beyond_noise,
                points=points.get(change.control, 0.0) if scores else None,
            )
            for change in found.controls
        ],
        changes=[
            SubjectChange(
                control=flip.control,
                subject=flip.subject,
                before=flip.before,
                after=flip.after,
                beyond_noise=flip.beyond_noise,
            )
            for flip in flips[: query.limit]
        ],
        changes_total=len(flips),
    )


def _noise(flip: Flip) -> bool:
    return flip.beyond_noise is False
