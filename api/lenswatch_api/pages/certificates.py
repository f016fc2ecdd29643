"""The page that checks a certificate, and shows the register."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from pydantic import ValidationError

from lenswatch_api.authentication import check_same_origin
from lenswatch_api.authorization import Principal
from lenswatch_api.certificates import service
from lenswatch_api.certificates.schemas import LONGEST_STATEMENT, Answer, Question
from lenswatch_api.dependencies import ServiceState, State
from lenswatch_api.pages.rendering import page
from lenswatch_api.pages.sessions import CertificatesVisitor
from lenswatch_api.paging import PageQuery
from lenswatch_api.problems import ApiProblem

router = APIRouter(include_in_schema=False)


@router.get("/certificates")
def show_certificates(
    request: Request,
    state: State,
    principal: CertificatesVisitor,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> Response:
    """Show the register, and the form that checks a certificate."""
    return _show(request, state, principal, cursor=cursor)


@router.post("/certificates")
def check_certificate(
    request: Request,
    state: State,
    principal: CertificatesVisitor,
    certificate: Annotated[UploadFile, File()],
    public_key: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Check a certificate; nothing of it is kept."""
    check_same_origin(request)
    try:
        question = Question(statement=_text(certificate), public_key=_text(public_key) or None)
        answer = service.check(state.database, principal, question)
    except (ValidationError, ApiProblem):
        return _show(request, state, principal, refused=True)
    return _show(request, state, principal, answer=answer)


def _show(
    request: Request,
    state: ServiceState,
    principal: Principal,
    *,
    cursor: str | None = None,
    answer: Answer | None = None,
    refused: bool = False,
) -> Response:
    return page(
        request,
        "certificates.html",
        principal,
        entries=service.read_page(state.database, principal, PageQuery(cursor=cursor)),
        checkpoint=service.checkpoint(state.database, principal),
        answer=answer,
        refused=refused,
        status_code=422 if refused else 200,
    )


def _text(upload: UploadFile | None) -> str:
    """The text of a file; empty for none, and for one that is too large or no text."""
    if upload is None:
        return ""
    try:
        return upload.file.read(LONGEST_STATEMENT + 1).decode()
    except UnicodeDecodeError:
        return ""
