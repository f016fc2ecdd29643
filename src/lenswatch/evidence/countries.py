"""Countries of addresses, from a MaxMind-format file that the auditor puts into the bundle.

No such file comes with lenswatch: which one to trust is the auditor's choice, and its licence too.
``countries.mmdb`` beside ``nodes.csv`` is read; the usual layouts (GeoLite2 and DB-IP country and
city, IPinfo) are understood.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import maxminddb

from lenswatch.model import Problem

FILE = "countries.mmdb"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Countries:
    """Looks up countries; without a file it knows none."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.problems: list[Problem] = []
        """What was wrong with the file, found when it was first used."""

    def of(self, addresses: Iterable[Address]) -> list[str]:
        """ISO 3166-1 alpha-2 code of each address, empty where the file does not tell.

        Raises nothing: a broken file becomes a problem and tells nothing.
        """
        wanted = list(addresses)
        if self._path is None or not wanted:
            return [""] * len(wanted)
        try:
            with maxminddb.open_database(self._path) as database:
                return [_code(database.get(address)) for address in wanted]
        except (OSError, ValueError, maxminddb.InvalidDatabaseError):
            self.problems = [
                Problem(
                    FILE,
                    "this is no usable MaxMind database, so countries of addresses are not known",
                    "give a country or city database in MaxMind's format (.mmdb)",
                    part="flows",
                )
            ]
            return [""] * len(wanted)


def find_countries(bundle: Path) -> Countries:
    """The bundle's own file, where it has one."""
    path = bundle / FILE
    return Countries(path if path.is_file() else None)


def _code(record: Any) -> str:
    if not isinstance(record, dict):
        return ""
    for name in ("country", "registered_country", "country_code"):
        value = record.get(name)
        code = value.get("iso_code") if isinstance(value, dict) else value
        if isinstance(code, str) and re.fullmatch(r"[A-Z]{2}", code):
            return code
    return ""
