"""The language of the pages: what the visitor chose, else what the browser asks for.

Words come from ``locale/<code>.po`` beside this module, in the same form as those of the reports;
what they lack is looked up in the reports' own catalogue, which has verdicts and titles of rules.
"""

from __future__ import annotations

import gettext
import io
from functools import cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Request

from lenswatch.reports.language import Language, languages, load_language

COOKIE = "lenswatch_language"
NAMES = {"en": "English", "zh-Hans": "简体中文"}
"""Each language in its own words."""
_LOCALE = Path(__file__).parent / "locale"


class PageLanguage:
    """Words and numbers of the pages in one language."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.reports: Language = load_language(code)
        self._own = _catalogue(code)

    def gettext(self, message: str) -> str:
        """The message in this language, itself where nothing has it."""
        if not message:
            return ""
        own = self._own.gettext(message)
        return own if own != message else self.reports.gettext(message)


@cache
def page_language(code: str) -> PageLanguage:
    """The language of a code of :func:`languages`."""
    return PageLanguage(code)


def language_of(request: Request) -> PageLanguage:
    """What the visitor chose, else the best of ``Accept-Language``, else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in languages():
        return page_language(chosen)
    for wanted in _accepted(request.headers.get("accept-language", "")):
        for code in languages():
            if _understands(wanted, code):
                return page_language(code)
    return page_language("en")


def _accepted(header: str) -> list[str]:
    """Languages of the header by quality, best first; nonsense counts as not accepted."""
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")[:20]):
        name, _, parameters = part.strip().partition(";")
        quality = 1.0
        if parameters.strip().startswith("q="):
            try:
                quality = float(parameters.strip()[2:])
            except ValueError:
                quality = 0.0
        if quality > 0:
            found.append((-quality, place, name.strip()))
    return [name for _, _, name in sorted(found)]


def _understands(wanted: str, code: str) -> bool:
    """Whether who wants a language reads another: ``zh-CN`` reads ``zh-Hans``, ``zh-TW`` not."""
    try:
        locale, own = Locale.parse(wanted, sep="-"), Locale.parse(code, sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    if locale.language != own.language:
        return False
    return own.script is None or locale.script in (None, own.script)


def _catalogue(code: str) -> gettext.NullTranslations:
    source = _LOCALE / f"{code}.po"
    if not source.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes())))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
