"""``ETag`` and ``If-None-Match``: an answer that the caller has is not sent again."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

import lenswatch

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The answer that the caller has is the current one."}
}

IfNoneMatch = Annotated[
    Annotated[str, Field(max_length=500)] | SkipJsonSchema[None],
    Header(alias="If-None-Match", description="`ETag` of the answer that the caller has."),
]
_HEADERS = {"Cache-Control": "private, no-cache"}


class NotModified(Exception):
    """Becomes a 304."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


class Conditional:
    """The condition of one request."""

    def __init__(self, response: Response, if_none_match: str | None) -> None:
        self._response = response
        self.headers: dict[str, str] = {}
        """For an answer that the endpoint makes itself."""
        self._have = if_none_match or ""

    def unless_known(self, *parts: object) -> None:
        """Go on unless the caller has the answer; ``parts`` name all that it depends on.

        Call it only after everything that could refuse the request.
        """
        text = json.dumps([lenswatch.__version__, *parts], default=str)
        etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        have = {tag.strip().removeprefix("W/") for tag in self._have.split(",")}
        if etag in have or "*" in have:
            raise NotModified(etag)
        self.headers = {"ETag": etag, **_HEADERS}
        self._response.headers.update(self.headers)

    def unless_same(self, answer: BaseModel) -> None:
        """Like :meth:`unless_known` for an answer that is cheap to make."""
        self.unless_known(answer.model_dump_json())


async def _condition(response: Response, if_none_match: IfNoneMatch = None) -> Conditional:
    return Conditional(response, if_none_match)


Condition = Annotated[Conditional, Depends(_condition)]


def install(app: FastAPI) -> None:
    """Answer :class:`NotModified` with 304."""

    def not_modified(_: Request, error: Exception) -> Response:
        assert isinstance(error, NotModified)
        return Response(status_code=304, headers={"ETag": error.etag, **_HEADERS})

    app.add_exception_handler(NotModified, not_modified)
