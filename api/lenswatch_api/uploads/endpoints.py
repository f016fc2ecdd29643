"""``/deployments/{id}/uploads`` and ``/uploads``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.bundles.endpoints import ContentDigest
from lenswatch_api.bundles.storage import parse_content_digest
from lenswatch_api.dependencies import State
from lenswatch_api.parameters import DeploymentId, UploadId
from lenswatch_api.problems import ApiProblem, errors
from lenswatch_api.uploads import service
from lenswatch_api.uploads.schemas import Upload

router = APIRouter(tags=["evidence"])

Writer = Annotated[Principal, requires(Scope.EVIDENCE_WRITE)]

PIECE = "application/offset+octet-stream"
_OFFSET_HEADERS: dict[str, Any] = {
    "Upload-Offset": {"description": "Bytes that are kept.", "schema": {"type": "integer"}},
    "Upload-Length": {"description": "Bytes of the whole.", "schema": {"type": "integer"}},
}


@router.post(
    "/deployments/{deployment_id}/uploads", status_code=201, responses=errors(404, 413, 507)
)
def create_upload(
    request: Request,
    response: Response,
    state: State,
    principal: Writer,
    deployment_id: DeploymentId,
    upload_length: Annotated[
        int, Header(ge=1, le=2**53, description="Size of the archive in bytes.")
    ],
    content_digest: ContentDigest = None,
) -> Upload:
    """Announce an upload that comes in pieces (tus 1.0.0); `Content-Digest` is of the whole."""
    digest = parse_content_digest(content_digest)
    upload = service.create(state, principal, deployment_id, upload_length, digest)
    response.headers["Location"] = str(request.url_for("get_upload", upload_id=upload.id))
    _describe(response, upload)
    return upload


@router.get("/uploads/{upload_id}", responses=errors(404, 410))
def get_upload(response: Response, state: State, principal: Writer, upload_id: UploadId) -> Upload:
    """Read how many bytes of an upload are kept."""
    upload = service.read(state, principal, upload_id)
    _describe(response, upload)
    return upload


@router.head(
    "/uploads/{upload_id}",
    response_class=Response,
    responses={
        200: {"description": "The headers say it.", "headers": _OFFSET_HEADERS, "content": {}},
        **errors(404, 410),
    },
)
def get_upload_offset(state: State, principal: Writer, upload_id: UploadId) -> Response:
    """Read how many bytes of an upload are kept, in the header `Upload-Offset`."""
    response = Response()
    _describe(response, service.read(state, principal, upload_id))
    return response


@router.patch(
    "/uploads/{upload_id}",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "The piece is kept.", "headers": _OFFSET_HEADERS},
        **errors(404, 409, 410, 413, 415, 507),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def append_to_upload(
    request: Request,
    state: State,
    principal: Writer,
    upload_id: UploadId,
    upload_offset: Annotated[int, Header(ge=0, le=2**53, description="Where the piece begins.")],
) -> Response:
    """Add a piece to an upload; the last one makes the bundle."""
    if request.headers.get("content-type") != PIECE:
        raise ApiProblem(415, f"Send the piece with the type {PIECE}.")
    upload = await service.append(state, principal, upload_id, upload_offset, request.stream())
    response = Response(status_code=204)
    _describe(response, upload)
    return response


def _describe(response: Response, upload: Upload) -> None:
    response.headers["Tus-Resumable"] = "1.0.0"
    response.headers["Upload-Offset"] = str(upload.offset)
    response.headers["Upload-Length"] = str(upload.length)
    if upload.bundle_id is not None:
        response.headers["Lenswatch-Bundle-Id"] = upload.bundle_id
