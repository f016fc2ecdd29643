"""Making plans, drawing them, and saying where they stand."""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from lenswatch.sampling import commit
from lenswatch.scoring import Sample, inventory_root, judge_claim
from lenswatch.scoring.planning import plan_draw, plan_sizes
from lenswatch_api.access_log import record_access
from lenswatch_api.audits.service import require_succeeded
from lenswatch_api.authorization import Principal
from lenswatch_api.bundles import storage
from lenswatch_api.bundles.service import require as require_bundle
from lenswatch_api.database import Database
from lenswatch_api.dependencies import ServiceState
from lenswatch_api.deployments.service import require as require_deployment
from lenswatch_api.idempotency import made_before, remember
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.plans import repository
from lenswatch_api.plans.cameras import read_cameras
from lenswatch_api.plans.schemas import Claim, Draw, NewPlan, Plan, Stand
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Plan as Row

_OPERATION = "create-plan"
_DRAWN = ("nonce", "randomness", "seed", "cameras")


def create(
    state: ServiceState,
    principal: Principal,
    deployment_id: str,
    wanted: NewPlan,
    idempotency_key: str | None,
) -> Plan:
    """Commit to the inventory of a bundle, and say how many of its cameras must be examined.

    Raises ApiProblem 404 for an unknown deployment or bundle, 409 for a deleted bundle, and 422
    for an inventory that cannot be read and a claim that makes no sense.
    """
    request = {"deployment_id": deployment_id, **wanted.model_dump()}

    def earlier(session: Session) -> Row | None:
        found = made_before(session, principal, _OPERATION, idempotency_key, request)
        return None if found is None else _require(session, principal, found)

    with state.database.read() as session:
        require_deployment(session, principal, deployment_id)
        if (known := earlier(session)) is not None:
            return _schema(known)
        bundle = require_bundle(session, principal, wanted.bundle_id)
        if bundle.deployment_id != deployment_id:
            raise ApiProblem(404, "The deployment has no bundle with this id.")
        if bundle.deleted_at is not None:
            raise ApiProblem(409, "The evidence of this bundle was deleted. Upload it again.")
    with storage.at_hand(state.settings, bundle) as folder:
        cameras = read_cameras(folder)
    content = _sizes(wanted, len(cameras))

    def make(session: Session) -> Row:
        if (known := earlier(session)) is not None:
            return known
        row = Row(
            id=new_id("pla"),
            tenant_id=principal.tenant_id,
            deployment_id=deployment_id,
            bundle_id=bundle.id,
            content=content,
            cameras=zlib.compress(json.dumps(cameras).encode()),
            root=inventory_root(cameras).hex(),
            nonce=secrets.token_hex(32),
            created_at=now(),
        )
        session.add(row)
        session.flush()
        remember(session, principal, _OPERATION, idempotency_key, request, row.id)
        record_access(session, principal, "plan-audit", bundle.id)
        return row

    return _schema(state.database.write_once(make))


def _sizes(wanted: NewPlan, population: int) -> dict[str, Any]:
    validated = wanted.validated
    try:
        return plan_sizes(
            population,
            list(dict.fromkeys(wanted.controls)),
            share=wanted.share,
            level=wanted.level,
            failures=min(wanted.failures, population),
            time_share=wanted.time_share,
            reach_cost=wanted.reach_cost,
            validated=None if validated is None else (validated.found, validated.shown),
        )
    except ValueError as error:
        raise ApiProblem(422, f"This claim makes no plan: {error}.", location="body") from None


def draw(database: Database, principal: Principal, plan_id: str, wanted: Draw) -> Plan:
    """Draw the cameras. The same randomness again changes nothing.

    Raises ApiProblem 404, and 409 where the plan was drawn with other randomness: a second draw
    would be a choice.
    """
    with database.write() as session:
        row = _require(session, principal, plan_id)
        if row.drawn is None:
            row.drawn = plan_draw(
                json.loads(zlib.decompress(row.cameras)),
                bytes.fromhex(row.root),
                row.content["sizes"][0]["any_time"],
                nonce=bytes.fromhex(row.nonce),
                randomness=bytes.fromhex(wanted.randomness),
            )
            row.drawn_at = now()
            record_access(session, principal, "draw-plan", row.id)
        elif row.drawn["randomness"] != wanted.randomness:
            raise ApiProblem(
                409, "The plan was drawn with other randomness. Make a new plan for a new draw."
            )
        return _schema(row)


def read(database: Database, principal: Principal, plan_id: str) -> Plan:
    """One plan; raises ApiProblem 404."""
    with database.read() as session:
        return _schema(_require(session, principal, plan_id))


def read_page(
    database: Database, principal: Principal, deployment_id: str, query: PageQuery
) -> Page[Plan]:
    """Of one deployment, newest first; raises ApiProblem 404."""
    with database.read() as session:
        require_deployment(session, principal, deployment_id)
        rows, following = repository.page(session, principal.tenant_id, deployment_id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


def stand(database: Database, principal: Principal, plan_id: str, audit_id: str | None) -> Stand:
    """Where each claim stands after an audit, the newest with results where none is named.

    Raises ApiProblem 404, 409 for a plan that is not drawn and for an audit without results, and
    422 for an audit of another deployment.
    """
    with database.read() as session:
        row = _require(session, principal, plan_id)
        if row.drawn is None:
            raise ApiProblem(409, "The plan is not drawn. Send the public randomness to `draw`.")
        audit_id = audit_id or repository.newest_audit(
            session, principal.tenant_id, row.deployment_id
        )
        if audit_id is None:
            raise ApiProblem(409, "No audit of the deployment has results.", kind="no-results")
        audit = require_succeeded(session, principal, audit_id)
        if audit.deployment_id != row.deployment_id:
            raise ApiProblem(422, "The audit is of another deployment.", location="query.audit_id")
        told = {
            control: repository.verdicts(session, audit_id, control)
            for control in row.content["controls"]
        }
    if missing := [control for control, verdicts in told.items() if not verdicts]:
        raise ApiProblem(
            409, f"The audit has no verdict of {missing[0]}: audit by a pack that holds it."
        )
    cameras = json.loads(zlib.decompress(row.cameras))
    return Stand(
        plan_id=row.id,
        audit_id=audit_id,
        claims=[_claim(row, cameras, control, verdicts) for control, verdicts in told.items()],
    )


def _claim(row: Row, cameras: list[str], control: str, verdicts: Any) -> Claim:
    assert row.drawn is not None
    content = row.content
    sample = Sample(
        tuple(row.drawn["cameras"]),
        content["sample_level"],
        content["sensitivity"],
        content["share"],
        tuple(content["controls"]),
    )
    told = {name: verdicts.get(f"node:{name}") for name in cameras}
    about = {name for name, verdict in told.items() if verdict != "not-applicable"}
    drawn = [name for name in sample.nodes if name in about]
    claim = judge_claim(
        control,
        drawn,
        np.array([told[name] == "pass" for name in drawn], np.bool_),
        np.array([told[name] == "fail" for name in drawn], np.bool_),
        population=len(about),
        sample=sample,
        answered=sum(told[name] in ("pass", "fail") for name in about),
    )
    return Claim.model_validate(asdict(claim))


def _require(session: Session, principal: Principal, plan_id: str) -> Row:
    row = repository.find(session, principal.tenant_id, plan_id)
    if row is None:
        raise ApiProblem(404, "There is no plan with this id.")
    return row


def _schema(row: Row) -> Plan:
    drawn = row.drawn or dict.fromkeys(_DRAWN)
    return Plan.model_validate(
        {
            "id": row.id,
            "deployment_id": row.deployment_id,
            "bundle_id": row.bundle_id,
            "created_at": row.created_at,
            "drawn_at": row.drawn_at,
            "inventory_root": row.root,
            "commitment": commit(bytes.fromhex(row.root), bytes.fromhex(row.nonce)).hex(),
            **row.content,
            **{name: drawn[name] for name in _DRAWN},
        }
    )
