"""Templates, and how numbers and words look in them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import lenswatch
from lenswatch_api.authorization import Principal

_HERE = Path(__file__).parent
STATIC = _HERE / "static"

_WORDS = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Not checked",
    "not-applicable": "Not applicable",
    "excepted": "Excepted",
    "queued": "Waiting",
    "running": "Running",
    "succeeded": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


def _number(value: float | None) -> str:
    """Whole numbers with thin gaps, others to three significant digits."""
    if value is None:
        return "—"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", "\u202f")


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def _moment(value: datetime | None) -> str:
    return "—" if value is None else value.strftime("%Y-%m-%d %H:%M UTC")


_environment = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "number": _number,
    "size": _size,
    "moment": _moment,
    "word": lambda value: _WORDS.get(str(value), str(value)),
}
_environment.globals["version"] = lenswatch.__version__


def page(
    request: Request,
    template: str,
    principal: Principal | None = None,
    *,
    status_code: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A template as an answer."""
    text = _environment.get_template(template).render(
        principal=principal,
        scopes=frozenset() if principal is None else {scope.value for scope in principal.scopes},
        path=request.url.path,
        **values,
    )
    return HTMLResponse(text, status_code=status_code)
