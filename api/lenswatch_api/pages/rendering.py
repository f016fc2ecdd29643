"""Templates, and how numbers and words look in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import lenswatch
from lenswatch_api.authorization import Principal
from lenswatch_api.pages.language import NAMES, PageLanguage, language_of, page_language

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


def _words(_: Callable[[str], str]) -> dict[str, str]:
    """Words for the values that the API answers."""
    return {
        "pass": _("Pass"),
        "fail": _("Fail"),
        "inconclusive": _("Not checked"),
        "not-applicable": _("Not applicable"),
        "excepted": _("Excepted"),
        "queued": _("Waiting"),
        "running": _("Running"),
        "succeeded": _("Done"),
        "failed": _("Failed"),
        "cancelled": _("Cancelled"),
        "critical": _("critical"),
        "high": _("high"),
        "medium": _("medium"),
        "low": _("low"),
        "proven": _("proven"),
        "inferred": _("inferred"),
        "control": _("rule"),
        "severity": _("severity"),
        "subject": _("subject"),
        "measured": _("measured"),
        "face-captured": _("Captures faces"),
        "retention-over-limit": _("Keeps longer than allowed"),
        "route-central": _("Feeds central collection"),
        "route-undeclared-sink": _("Sends to undeclared receivers"),
        "route-undeclared-relay": _("Passes video on, undeclared"),
    }


def _script_words(_: Callable[[str], str]) -> dict[str, str]:
    """What the scripts say."""
    return {
        "answered": _("The service answered {status}."),
        "broken": _("The line broke. Send it again."),
        "choose": _("Choose at least one set of rules."),
        "sent": _("{percent} % sent"),
        "unpacking": _("Unpacking and checking"),
        "starting": _("Starting the audit"),
        "waiting": _("Waiting for its turn"),
        "running": _("Running"),
        "cameras": _("{shown} of {all} cameras in view"),
        "failed": _("The map could not be loaded."),
        "nothing": _("No camera here."),
    }


def _number(value: float | None) -> str:
    """Whole numbers with thin gaps, others to three significant digits."""
    if value is None:
        return "—"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", "\u202f")


def _size(count: float) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def _moment(value: datetime | None) -> str:
    return "—" if value is None else value.strftime("%Y-%m-%d %H:%M UTC")


@cache
def environment(code: str) -> Environment:
    """The templates in one language."""
    language: PageLanguage = page_language(code)
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        language.gettext, lambda one, many, n: one if n == 1 else many, newstyle=True
    )
    words = _words(language.gettext)
    made.filters |= {
        "number": _number,
        "size": _size,
        "moment": _moment,
        "word": lambda value: words.get(str(value), str(value)),
        "title": language.gettext,
    }
    made.globals |= {
        "version": lenswatch.__version__,
        "language": code,
        "languages": NAMES,
        "script_words": _script_words(language.gettext),
    }
    return made


def page(
    request: Request,
    template: str,
    principal: Principal | None = None,
    *,
    status_code: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A template as an answer, in the visitor's language."""
    language = language_of(request)
    text = (
        environment(language.code)
        .get_template(template)
        .render(
            principal=principal,
            scopes=frozenset()
            if principal is None
            else {scope.value for scope in principal.scopes},
            path=request.url.path,
            sign_on=request.app.state.sign_on is not None,
            **values,
        )
    )
    return HTMLResponse(
        text,
        status_code=status_code,
        headers={"Content-Language": language.code, "Vary": "Accept-Language, Cookie"},
    )
