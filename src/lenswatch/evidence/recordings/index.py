"""``recordings/index.yaml``: which stores a bundle holds, and how to read each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lenswatch.documents import read_document
from lenswatch.evidence.recordings.names import shown
from lenswatch.model import Problem, sentence

__all__ = ["SYSTEMS", "StoreDeclaration", "read_index"]

SYSTEMS: Final = (
    "directory",
    "frigate",
    "genetec",
    "mediamtx",
    "milestone",
    "moonfire",
    "motion",
    "onvif",
    "s3-inventory",
    "shinobi",
    "viseron",
    "zoneminder",
)
"""Systems that have a reader."""

_FILE_KEYS: Final = (
    "database",
    "dump",
    "config",
    "media",
    "manifest",
    "lifecycle",
    "schedule",
    "scope",
)


@dataclass(frozen=True, slots=True)
class StoreDeclaration:
    """One store, as the bundle declares it.

    All file names are relative to ``path``; empty where the key is absent.
    """

    id: str
    system: str
    """One of :data:`SYSTEMS`."""
    path: str = "."
    """Folder of the store, relative to the bundle's ``recordings`` folder; an absolute path comes
    only from the command line, never from an index."""
    node: str = ""
    """Node that holds the store; empty where not declared."""
    timezone: str = ""
    """IANA name of the zone of the store's local times; empty where unknown, and then every local
    time is an interval of 26 hours."""
    cameras: Mapping[str, str] = field(default_factory=dict)
    """Name of a camera in the store, to its node id."""
    database: str = ""
    """SQLite file, or a ``mysql://`` or ``postgresql://`` URL without a password."""
    dump: str = ""
    config: str = ""
    media: str = ""
    manifest: str = ""
    lifecycle: str = ""
    schedule: str = ""
    """Crontab whose entries clean the store."""
    scope: str = ""
    """File that names the devices which may be asked live."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """File name patterns with strftime conversions: movie, picture, snapshot, timelapse."""
    path_map: Mapping[str, str] = field(default_factory=dict)
    """Path prefix as the store wrote it, to the path below the store."""
    line: int | None = None
    """Line of the declaration in the index, from 1."""

    def folder(self, root: Path) -> Path:
        """Where the store lies on this machine; ``root`` is the bundle."""
        return root / "recordings" / self.path

    def file(self, root: Path, name: str) -> Path:
        """A file of the store by its name in the declaration."""
        return self.folder(root) / name

    def described(self, *names: str) -> str:
        """A file of the store as a person knows it, relative to the bundle."""
        parts = [name for name in (self.path, *names) if name not in ("", ".")]
        if Path(self.path).is_absolute():
            return shown("/".join(parts))
        return shown("/".join(["recordings", *parts]))


def read_index(
    path: Path, *, root: Path
) -> tuple[tuple[StoreDeclaration, ...], tuple[Problem, ...]]:
    """Read ``index.yaml``.

    A store with a fault is left out and reported with the line; the others are kept. Raises
    nothing: a file that cannot be read at all gives no stores and one problem. ``root`` is the
    bundle, against which file names in problems are relative.
    """
    name = _relative(path, root)
    schema = json.loads(
        resources.files("lenswatch.evidence.recordings").joinpath("index.json").read_text("utf-8")
    )
    try:
        document = read_document(path, schema)
    except OSError as error:
        message = sentence("cannot be opened ({why})", why=sentence(error.strerror or "I/O error"))
        return (), (_problem(name, message, "check that the file exists and may be read"),)
    problems = [_problem(name, f.message, f.remedy, f.line) for f in document.faults]
    content = document.content
    if not isinstance(content, dict) or not isinstance(content.get("stores"), list):
        return (), tuple(problems)
    faulty = {fault.line for fault in document.faults}
    reader = _Stores(path.parent, name, problems)
    for number, entry in enumerate(content["stores"]):
        lines = {
            line
            for place, line in document.lines.items()
            if place[:2] == ("stores", number) and line is not None
        }
        if not isinstance(entry, dict) or faulty & lines:
            continue
        line_of = {key: document.line_of("stores", number, key) for key in entry}
        reader.add(entry, line_of, document.line_of("stores", number))
    return tuple(reader.stores), tuple(problems)


class _Stores:
    """Checks what a schema cannot say: uniqueness, zones, and that no path leaves the bundle."""

    def __init__(self, folder: Path, name: str, problems: list[Problem]) -> None:
        self._folder = folder
        self._name = name
        self._problems = problems
        self._ids: set[str] = set()
        self.stores: list[StoreDeclaration] = []

    def add(self, entry: dict[str, Any], lines: Mapping[str, int | None], line: int | None) -> None:
        def fault(key: str, message: str, remedy: str) -> None:
            place = lines.get(key) or line
            self._problems.append(
                _problem(
                    self._name,
                    sentence("{key}: {message}", key=key, message=sentence(message)),
                    remedy,
                    place,
                    f"store:{entry['id']}",
                )
            )

        if entry["id"] in self._ids:
            fault("id", "stands twice", "give each store an id of its own")
            return
        live = any("://" in str(entry.get(key, "")) for key in ("database", "scope"))
        if "path" not in entry and not live:
            fault("path", "missing", "add the folder of the store, relative to this file")
            return
        good = True
        if "timezone" in entry and not _is_zone(entry["timezone"]):
            fault("timezone", "not a known zone", "use an IANA name such as Europe/Berlin")
            good = False
        for key in ("path", *_FILE_KEYS):
            value = entry.get(key, "")
            if "://" in value:
                if key != "database":
                    fault(key, "a URL", "name a file below the store")
                    good = False
                elif _has_password(value):
                    fault(
                        key,
                        "holds a password",
                        "leave it out and set LENSWATCH_DATABASE_PASSWORD in the environment",
                    )
                    good = False
                continue
            below = entry.get("path", ".") if key != "path" else "."
            if value and not self._inside(below, value):
                fault(key, "leaves the bundle", "use a path below the bundle's recordings folder")
                good = False
        for target in entry.get("path_map", {}).values():
            if not self._inside(entry.get("path", "."), target or "."):
                fault("path_map", "leaves the bundle", "map to paths below the store")
                good = False
                break
        if not good:
            return
        self._ids.add(entry["id"])
        self.stores.append(_declaration(entry, line))

    def _inside(self, below: str, value: str) -> bool:
        if "\x00" in value or "\x00" in below:
            return False
        for part in (PurePosixPath(below), PurePosixPath(value)):
            if part.is_absolute() or ".." in part.parts:
                return False
        try:
            target = (self._folder / below / value).resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return target.is_relative_to(self._folder.resolve())


def _declaration(entry: Mapping[str, Any], line: int | None) -> StoreDeclaration:
    def mapping(key: str) -> Mapping[str, str]:
        return dict(entry.get(key, {}))

    words: dict[str, str] = {key: entry.get(key, "") for key in ("node", "timezone", *_FILE_KEYS)}
    return StoreDeclaration(
        id=entry["id"],
        system=entry["system"],
        path=entry.get("path", "."),
        line=line,
        cameras=mapping("cameras"),
        patterns=mapping("patterns"),
        path_map=mapping("path_map"),
        **words,
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _has_password(url: str) -> bool:
    authority = url.split("://", 1)[1].split("/", 1)[0]
    return "@" in authority and ":" in authority.rsplit("@", 1)[0]


def _problem(
    file: str, message: str, remedy: str, line: int | None = None, subject: str = ""
) -> Problem:
    return Problem(file, message, remedy, line=line, part="recordings", subject=subject)


def _relative(path: Path, root: Path) -> str:
    try:
        return shown(path.relative_to(root).as_posix())
    except ValueError:
        return shown(str(path))
