"""The pages. They show what the API answers; changes go through the API itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, FastAPI, Form, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from lenswatch.model import Verdict
from lenswatch_api.audits import service as audits
from lenswatch_api.audits.schemas import Audit, AuditQuery
from lenswatch_api.audits.state import State as AuditState
from lenswatch_api.authentication import (
    SESSION_COOKIE,
    SESSION_LIFETIME,
    check_same_origin,
    close_session,
    count_failure,
    open_session,
    principal_of_key,
    refuse_guessing,
)
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.bundles import service as bundles
from lenswatch_api.comparisons import service as comparisons
from lenswatch_api.comparisons.schemas import ComparisonQuery
from lenswatch_api.dependencies import ServiceState, State
from lenswatch_api.deployments import service as deployments
from lenswatch_api.findings import service as findings
from lenswatch_api.findings.index import Order
from lenswatch_api.findings.schemas import FindingQuery
from lenswatch_api.packs import service as packs
from lenswatch_api.pages.language import COOKIE as LANGUAGE_COOKIE
from lenswatch_api.pages.language import NAMES
from lenswatch_api.pages.rendering import STATIC, page
from lenswatch_api.pages.sessions import (
    AuditsVisitor,
    DeploymentsVisitor,
    FindingsVisitor,
    ScoresVisitor,
    SignInNeeded,
    Visitor,
)
from lenswatch_api.paging import PageQuery
from lenswatch_api.parameters import AuditId, DeploymentId
from lenswatch_api.problems import ApiProblem
from lenswatch_api.reports import service as reports
from lenswatch_api.views import service as views

router = APIRouter(include_in_schema=False)

END_USE_CHECKS = (
    "face-captured",
    "retention-over-limit",
    "route-central",
    "route-undeclared-sink",
    "route-undeclared-relay",
)
"""Checks that say what equipment takes part in, in the order of the page."""

_WORST_FIRST = (
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.EXCEPTED,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)


def install(app: FastAPI) -> None:
    """Add the pages, and what they load, to the application."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    def to_sign_in(_: Request, __: Exception) -> Response:
        return RedirectResponse("/sign-in", status_code=303)

    app.add_exception_handler(SignInNeeded, to_sign_in)
    for kind in (ApiProblem, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _as_page(app.exception_handlers[kind]))


def _as_page(as_json: Callable[[Request, Any], Any]) -> Callable[[Request, Exception], Response]:
    """A handler that tells a problem as a page, except to programs."""

    def handle(request: Request, error: Exception) -> Response:
        response = as_json(request, error)
        assert isinstance(response, JSONResponse)
        if request.url.path.startswith("/api/") or "text/html" not in request.headers.get(
            "accept", ""
        ):
            return response
        problem = json.loads(bytes(response.body))
        return page(
            request,
            "problem.html",
            status_code=response.status_code,
            title=problem["title"],
            detail=problem["detail"],
        )

    return handle


@router.get("/sign-in")
def show_sign_in(request: Request) -> Response:
    """Ask for a key."""
    return page(request, "sign_in.html", wrong=False)


@router.post("/sign-in")
def sign_in(request: Request, state: State, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Open a session for the holder of a key."""
    check_same_origin(request)
    refuse_guessing(state, request)
    principal = principal_of_key(state.database, key.strip())
    if principal is None:
        count_failure(state, request)
        return page(request, "sign_in.html", wrong=True, status_code=401)
    if Scope.DEPLOYMENTS_READ not in principal.scopes:
        raise ApiProblem(403, "This key is for programs: the pages have nothing for it to see.")
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        SESSION_COOKIE,
        open_session(state.database, principal),
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=state.settings.secure_cookies,
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request, state: State, principal: Visitor) -> Response:
    """Close the session."""
    close_session(state.database, request.cookies[SESSION_COOKIE])
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/language")
def choose_language(
    request: Request,
    state: State,
    to: Annotated[str, Form(max_length=20)],
    back: Annotated[str, Form(max_length=1000)] = "/",
) -> Response:
    """Show the pages in another language from now on."""
    check_same_origin(request)
    # only to a path of our own: "//host" and "/\\host" are addresses of somebody else
    safe = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    answer = RedirectResponse(back if safe else "/", status_code=303)
    if to in NAMES:
        answer.set_cookie(
            LANGUAGE_COOKIE,
            to,
            max_age=365 * 24 * 3600,
            httponly=True,
            samesite="strict",
            secure=state.settings.secure_cookies,
        )
    return answer


@router.get("/")
def show_deployments(
    request: Request,
    state: State,
    principal: DeploymentsVisitor,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """List deployments and the latest audits."""
    return page(
        request,
        "deployments.html",
        principal,
        deployments=deployments.read_page(state.database, principal, PageQuery(cursor=cursor)),
        audits=_audits(state, principal, AuditQuery(limit=10)),
    )


@router.get("/deployments/{deployment_id}")
def show_deployment(
    request: Request, state: State, principal: DeploymentsVisitor, deployment_id: DeploymentId
) -> Response:
    """Show one deployment: its evidence, its audits, and the upload."""
    query = PageQuery(limit=100)
    evidence = (
        bundles.read_page(state.database, principal, deployment_id, query).items
        if Scope.EVIDENCE_READ in principal.scopes
        else []
    )
    return page(
        request,
        "deployment.html",
        principal,
        deployment=deployments.read(state.database, principal, deployment_id),
        bundles=evidence,
        audits=_audits(state, principal, AuditQuery(limit=100, deployment_id=deployment_id)),
        packs=packs.read_all(),
    )


@router.get("/audits/{audit_id}")
def show_audit(
    request: Request, state: State, principal: AuditsVisitor, audit_id: AuditId
) -> Response:
    """Show one audit: live while it runs, then score, drivers and reports."""
    audit = audits.read(state.database, principal, audit_id)
    done = audit.progress.state is AuditState.SUCCEEDED
    may = principal.scopes
    database = state.database
    return page(
        request,
        "audit.html",
        principal,
        audit=audit,
        deployment=deployments.read(database, principal, audit.deployment_id),
        score=findings.read_score(database, principal, audit_id)
        if done and Scope.SCORES_READ in may
        else None,
        verdicts=findings.read_counts(state, principal, audit_id)
        if done and Scope.FINDINGS_READ in may
        else [],
        reports=reports.read_list(database, principal, audit_id)
        if done and Scope.REPORTS_READ in may
        else [],
    )


@router.get("/audits/{audit_id}/findings")
def show_findings(
    request: Request, state: State, principal: FindingsVisitor, audit_id: AuditId
) -> Response:
    """Show findings, filtered and sorted."""
    given = {name: value for name, value in request.query_params.items() if value}
    query = _query({"sort": Order.SEVERITY, **given})
    found = findings.read_page(state, principal, audit_id, query)
    following = None
    if found.next is not None:
        following = "?" + urlencode({**given, "cursor": found.next})
    return page(
        request,
        "findings.html",
        principal,
        audit=audits.read(state.database, principal, audit_id),
        controls=[entry.control for entry in findings.read_counts(state, principal, audit_id)],
        query=query,
        findings=found.items,
        following=following,
    )


@router.get("/audits/{audit_id}/subjects/{subject:path}")
def show_subject(
    request: Request, state: State, principal: FindingsVisitor, audit_id: AuditId, subject: str
) -> Response:
    """Show all that was measured of one camera, recorder or sink: numbers, never pictures."""
    query = _query({"subject": subject, "limit": 200})
    found = findings.read_page(state, principal, audit_id, query)
    return page(
        request,
        "subject.html",
        principal,
        status_code=200 if found.items else 404,
        audit=audits.read(state.database, principal, audit_id),
        subject=subject,
        findings=sorted(found.items, key=lambda finding: _WORST_FIRST.index(finding.verdict)),
    )


@router.get("/audits/{audit_id}/map")
def show_map(
    request: Request, state: State, principal: ScoresVisitor, audit_id: AuditId
) -> Response:
    """Show all cameras on a map, and the same in a table."""
    return page(
        request,
        "map.html",
        principal,
        audit=audits.read(state.database, principal, audit_id),
        map=views.read_map(state, principal, audit_id),
    )


@router.get("/audits/{audit_id}/map/{place}")
def open_camera(
    state: State,
    principal: ScoresVisitor,
    audit_id: AuditId,
    place: Annotated[int, Path(ge=0, lt=2**31)],
) -> Response:
    """Go to the camera that was chosen on the map."""
    name = views.camera_at(state, principal, audit_id, place)
    return RedirectResponse(f"/audits/{audit_id}/subjects/node:{quote(name)}", status_code=303)


@router.get("/audits/{audit_id}/sinks")
def show_sinks(
    request: Request, state: State, principal: ScoresVisitor, audit_id: AuditId
) -> Response:
    """Show where video comes to rest."""
    return page(
        request,
        "sinks.html",
        principal,
        audit=audits.read(state.database, principal, audit_id),
        sinks=views.read_sinks(state, principal, audit_id)[:200],
    )


@router.get("/audits/{audit_id}/retention")
def show_retention(
    request: Request, state: State, principal: ScoresVisitor, audit_id: AuditId
) -> Response:
    """Show how long recordings are kept, against the limits."""
    return page(
        request,
        "retention.html",
        principal,
        audit=audits.read(state.database, principal, audit_id),
        retention=views.read_retention(state, principal, audit_id),
    )


@router.get("/audits/{audit_id}/end-use")
def show_end_use(
    request: Request, state: State, principal: ScoresVisitor, audit_id: AuditId
) -> Response:
    """Show what the equipment of each vendor takes part in."""
    uses = views.read_end_use(state, principal, audit_id)
    found = {part.check for use in uses for part in use.parts}
    return page(
        request,
        "end_use.html",
        principal,
        audit=audits.read(state.database, principal, audit_id),
        end_use=uses,
        checks=[check for check in END_USE_CHECKS if check in found],
    )


@router.get("/audits/{audit_id}/comparison")
def show_comparison(
    request: Request, state: State, principal: FindingsVisitor, audit_id: AuditId, before: str = ""
) -> Response:
    """Show what changed since an earlier audit."""
    audit = audits.read(state.database, principal, audit_id)
    query = AuditQuery(limit=100, deployment_id=audit.deployment_id, state=AuditState.SUCCEEDED)
    others = audits.read_page(state.database, principal, query).items
    comparison, refusal = None, ""
    try:
        comparison = comparisons.read(state, principal, audit_id, _comparison_query(before or None))
    except ApiProblem as problem:
        if problem.status not in (409, 413):
            raise
        refusal = problem.detail
    return page(
        request,
        "comparison.html",
        principal,
        audit=audit,
        earlier=[other for other in others if other.id != audit_id],
        comparison=comparison,
        refusal=refusal,
    )


def _audits(state: ServiceState, principal: Principal, query: AuditQuery) -> list[Audit]:
    if Scope.AUDITS_READ not in principal.scopes:
        return []
    return audits.read_page(state.database, principal, query).items


def _comparison_query(before: str | None) -> ComparisonQuery:
    try:
        return ComparisonQuery(before=before)
    except ValidationError:
        raise ApiProblem(422, "The address names no audit to compare with.") from None


def _query(values: Mapping[str, Any]) -> FindingQuery:
    """What the address asks for; raises ApiProblem 422 where it makes no sense."""
    try:
        return FindingQuery.model_validate(values)
    except ValidationError:
        raise ApiProblem(
            422, "The address asks for findings in a way that does not exist."
        ) from None
