"""The words, numbers and dates of a report in the reader's language.

A language is one gettext catalogue, ``locale/<code>.po``, read as it is: adding a file adds a
language, no code and no compilation. English needs none. Titles and remedies of the rules, and what
the checks say (:class:`lenswatch.model.Sentence`), are looked up in the catalogue too; they stand
in English where it lacks them.
"""

from __future__ import annotations

import gettext
import io
import math
import string
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from lenswatch.errors import UsageError
from lenswatch.model import Sentence, joined

_HOURS = ("h", "hour", "hours")
_SHARES = ("share", "ratio", "fraction")


class Language:
    """One language of the reports."""

    def __init__(self, code: str) -> None:
        self.code = code
        """BCP 47, as HTML wants it: ``en``, ``zh-Hans``."""
        self._locale = Locale.parse(code, sep="-")
        self._translations = _catalogue(code)
        self._formatter = _Formatter(self)
        symbols = self._locale.number_symbols["latn"]
        self._separators = str.maketrans({".": symbols["decimal"], ",": symbols["group"]})
        self._per_cent = self._locale.percent_formats[None].suffix[0]

    def gettext(self, message: str) -> str:
        """The message in this language, itself where the catalogue lacks it.

        A :class:`~lenswatch.model.Sentence` is told with its values, numbers as the locale writes
        them.
        """
        if not isinstance(message, Sentence):
            # the empty message is where a catalogue keeps its header
            return self._translations.gettext(message) if message else ""
        if isinstance(message.template, str):
            template = self.gettext(str(message.template))
        else:
            template = self.ngettext(*message.template, message.values["count"])
        if not message.values:
            return template
        return self._formatter.vformat(template, (), message.values)

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        """The form of the message that ``number`` asks for."""
        return self._translations.ngettext(singular, plural, number)

    def listing(self, parts: Iterable[str]) -> str:
        """Texts that are in this language already, as a list."""
        return self.gettext(joined(parts, "{first}, {second}"))

    def number(self, value: float | None) -> str:
        """Four significant digits, whole numbers in full; a dash for none, ∞ for no end."""
        if value is None or math.isnan(value):
            return "–"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        if value and abs(value) < 1e15:
            digits = max(3 - math.floor(math.log10(abs(value))), 0)
            value = round(value, digits)
        pattern = "#,##0.#########" if abs(value) < 1 else "#,##0.###"
        return str(format_decimal(value, format=pattern, locale=self._locale))

    def quantity(self, value: float | None, unit: str) -> str:
        """A number with its unit; many hours also in days, shares as per cent."""
        if value is None:
            return "–"
        if (unit in _SHARES or unit.startswith("share of ")) and 0 <= value <= 1:
            return self.percent(value)
        if unit in _HOURS:
            text = f"{self.number(value)}\u00a0h"
            if abs(value) >= 72 and math.isfinite(value):
                days = self.number(round(value / 24, 1))
                in_days = self.gettext("%(days)s days") % {"days": days}
                text += f" ({in_days})"
            return text
        unit = self.unit(unit)
        return f"{self.number(value)}\u00a0{unit}" if unit else self.number(value)

    def unit(self, unit: str) -> str:
        """Name of a unit, without the remarks on it, which are for findings.json; empty for 1."""
        return "" if unit == "1" else self.gettext(unit.partition(" (")[0])

    def formatted(self, value: float, spec: str) -> str:
        """A number as :func:`format` writes it, with the separators of the locale."""
        text = format(value, spec).translate(self._separators)
        return text[:-1] + self._per_cent if spec.endswith("%") else text

    def points(self, value: float) -> str:
        """Points of the score, to a tenth; never rounded up to 100 or down to 0."""
        if 99.95 <= value < 100:
            value = 99.9
        elif 0 < value < 0.05:
            value = 0.1
        return str(format_decimal(value, format="0.0", locale=self._locale))

    def percent(self, share: float) -> str:
        """A share from 0 to 1 in per cent."""
        return str(format_percent(share, format="#,##0.#%", locale=self._locale))

    def date(self, day: date) -> str:
        """A day, written out."""
        pattern = "y年M月d日" if self._locale.language == "zh" else "d MMMM y"
        return str(format_date(day, pattern, locale=self._locale))

    def moment(self, moment: datetime) -> str:
        """A moment in UTC, which the text names."""
        moment = moment.astimezone(UTC)
        return f"{self.date(moment.date())}, {moment:%H:%M} UTC"

    def distance(self, metres: float) -> str:
        """Metres below a kilometre, kilometres from there."""
        if metres >= 1000:
            return f"{self.number(metres / 1000)}\u00a0km"
        return f"{self.number(metres)}\u00a0m"


class _Formatter(string.Formatter):
    """Fills the places of a translated template."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> Any:
        if isinstance(value, Sentence):
            return self._language.gettext(value)
        if isinstance(value, int | float):
            return self._language.formatted(value, format_spec)
        return format(value, format_spec)


def languages() -> tuple[str, ...]:
    """Codes of the languages that reports can be written in."""
    folder = files("lenswatch.reports").joinpath("locale")
    found = (entry.name[:-3] for entry in folder.iterdir() if entry.name.endswith(".po"))
    return ("en", *sorted(found))


@lru_cache(maxsize=16)
def load_language(code: str) -> Language:
    """The language of a code; ``UsageError`` names the known ones where there is no catalogue."""
    if code not in languages():
        raise UsageError(
            f"no catalogue for the language {code!r}: use one of {', '.join(languages())}"
        )
    return Language(code)


def _catalogue(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()
    source = files("lenswatch.reports").joinpath("locale", f"{code}.po")
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes())))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
