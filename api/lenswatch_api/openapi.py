"""The OpenAPI description, with problems under their own media type."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lenswatch_api.problems import MEDIA_TYPE

DESCRIPTION = """\
Audits of camera networks: do they capture faces, how long do they keep them, and where do they go?

1. `POST /deployments` names a camera network.
2. `POST /deployments/{id}/bundles` uploads its evidence as one archive.
3. `POST /audits` starts an audit, `GET /audits/{id}/events` follows it.
4. `GET /audits/{id}/score`, `/findings` and `/reports` say what it concluded.

Send `Authorization: Bearer <key>`. Errors are problem details (RFC 9457): `detail` says what to do.
Evidence is measured and never given out again.
"""


def install(app: FastAPI) -> None:
    """Let the application describe itself."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finish(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=DESCRIPTION,
                    routes=app.routes,
                    tags=[
                        {"name": "deployments", "description": "Camera networks under audit."},
                        {"name": "evidence", "description": "Bundles: uploads and what is kept."},
                        {"name": "audits", "description": "Durable jobs over a bundle."},
                        {"name": "results", "description": "Findings, scores and reports."},
                        {"name": "plans", "description": "Audits by sample."},
                        {"name": "certificates", "description": "A register, and a check."},
                        {"name": "suites", "description": "Benchmarks with ground truth."},
                        {"name": "keys", "description": "Who may do what."},
                        {"name": "tenants", "description": "Organisations that share the service."},
                        {"name": "operations", "description": "Running the service."},
                    ],
                )
            )
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _finish(description: dict[str, Any]) -> dict[str, Any]:
    return _with_links(_with_problem_media_type(description))


# what makes a thing, and the parameter by which other operations know it
_MAKERS = {
    "create_deployment": "deployment_id",
    "upload_bundle": "bundle_id",
    "create_upload": "upload_id",
    "start_audit": "audit_id",
    "create_key": "key_id",
    "create_plan": "plan_id",
    "add_certificate": "certificate_id",
}


def _with_links(description: dict[str, Any]) -> dict[str, Any]:
    """Say which operations follow the one that makes a thing."""
    operations = [
        operation for methods in description["paths"].values() for operation in methods.values()
    ]
    for operation in operations:
        name = _MAKERS.get(operation["operationId"])
        if name is None:
            continue
        links: dict[str, Any] = {
            other["operationId"]: {
                "operationId": other["operationId"],
                "parameters": {name: "$response.body#/id"},
            }
            for other in operations
            if name in {parameter["name"] for parameter in other.get("parameters", ())}
        }
        if name == "bundle_id":
            links["start_audit"] = {
                "operationId": "start_audit",
                "requestBody": {"bundle_id": "$response.body#/id", "packs": ["core"]},
            }
        made = next(status for status in operation["responses"] if status < "300")
        operation["responses"][made]["links"] = links
    return description


def _with_problem_media_type(description: dict[str, Any]) -> dict[str, Any]:
    # FastAPI declares every model under the media type of the endpoint's own answer
    for operations in description["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    schema = {"$ref": "#/components/schemas/Problem"}
                    response["content"] = {MEDIA_TYPE: {"schema": schema}}
    return description
