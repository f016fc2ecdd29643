"""Keyset pages: a cursor says where the last page ended, so every page costs the same."""

from __future__ import annotations

import base64
import json
import math
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from lenswatch_api.problems import ApiProblem

Item = TypeVar("Item")

Cursor = Annotated[
    Annotated[str, Field(max_length=1000, pattern=r"^[A-Za-z0-9_-]+$")] | SkipJsonSchema[None],
    Field(
        description="`next` of the page before; absent for the first page.",
    ),
]


class PageQuery(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=500, description="Most items in the answer.")
    cursor: Cursor = None


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


def encode_cursor(sort: str, *values: float | str) -> str:
    """An opaque cursor: the order it belongs to and the sort values of the last item."""
    plain = [("inf" if value == math.inf else value) for value in values]
    return base64.urlsafe_b64encode(json.dumps([sort, *plain]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, sort: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """The sort values in a cursor; raises ApiProblem 422 for one that was not made here."""
    problem = ApiProblem(
        422,
        "The cursor does not belong to this list and order. Start again without it.",
        location="query.cursor",
    )
    try:
        document = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise problem from None
    if not isinstance(document, list) or document[:1] != [sort]:
        raise problem
    values = document[1:]
    if len(values) != len(kinds):
        raise problem
    result: list[Any] = []
    for value, kind in zip(values, kinds, strict=True):
        if kind is float:
            if value == "inf":
                result.append(math.inf)
                continue
            if type(value) not in (int, float) or not math.isfinite(value):
                raise problem
            result.append(float(value))
        elif kind is int:
            if type(value) is not int or not -(2**31) <= value < 2**31:
                raise problem
            result.append(value)
        else:
            if type(value) is not str or "\x00" in value:
                raise problem
            try:
                value.encode()
            except UnicodeEncodeError:
                raise problem from None
            result.append(value)
    return tuple(result)


def newest_first(
    session: Session,
    statement: Select[Item],
    identifier: InstrumentedAttribute[str],
    query: PageQuery,
) -> tuple[list[Item], str | None]:
    """A page of rows by descending id, which is by descending time of creation."""
    if query.cursor is not None:
        (last,) = decode_cursor(query.cursor, "newest", (str,))
        statement = statement.where(identifier < last)
    rows = list(session.scalars(statement.order_by(identifier.desc()).limit(query.limit + 1)))
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, encode_cursor("newest", getattr(rows[-1], identifier.key))
