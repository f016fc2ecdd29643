"""``/audits/{id}/reports``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import FileResponse

from lenswatch_api.audits.results import MEDIA_TYPES
from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.conditional import IfNoneMatch
from lenswatch_api.dependencies import State
from lenswatch_api.parameters import AuditId
from lenswatch_api.problems import errors
from lenswatch_api.reports import service
from lenswatch_api.reports.schemas import Report

router = APIRouter(prefix="/audits/{audit_id}/reports", tags=["results"])

Reader = Annotated[Principal, requires(Scope.REPORTS_READ)]
ReportName = Annotated[
    str,
    Path(
        max_length=200,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$",
        description="As `reports` lists it.",
        examples=["report.html"],
    ),
]

_BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.get("", responses=errors(404, 409))
def list_reports(state: State, principal: Reader, audit_id: AuditId) -> list[Report]:
    """List the reports of an audit."""
    return service.read_list(state.database, principal, audit_id)


@router.get(
    "/{name:path}",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The report.",
            "content": {
                **{kind.partition(";")[0]: _BINARY for kind in MEDIA_TYPES.values()},
                "application/json": {"schema": {"description": "Any JSON document."}},
            },
        },
        304: {"description": "The report that the caller has is the current one."},
        **errors(404, 409),
    },
)
def download_report(
    state: State,
    principal: Reader,
    audit_id: AuditId,
    name: ReportName,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Download a report."""
    path, report = service.open_report(state, principal, audit_id, name)
    headers = {
        "ETag": f'"{report.sha256}"',
        "Cache-Control": "private, no-cache",
        # a report is a document: whatever it holds, it runs nothing and loads nothing
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; font-src data:",
    }
    if if_none_match is not None and f'"{report.sha256}"' in if_none_match:
        return Response(status_code=304, headers=headers)
    return FileResponse(
        path,
        media_type=report.media_type,
        filename=f"{audit_id}-{report.name.replace('/', '-')}",
        headers=headers,
    )
