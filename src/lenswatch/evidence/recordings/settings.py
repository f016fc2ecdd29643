"""Reading recorders' own YAML settings: nested keys, numbers, and the line each stands on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lenswatch.documents import Document, read_document
from lenswatch.evidence.recordings.artefacts import StoreReading
from lenswatch.model import sentence

__all__ = ["Settings", "open_settings"]


class Settings:
    """A YAML document with the questions readers ask of it."""

    def __init__(self, document: Document, described: str) -> None:
        self._document = document
        self.described = described

    def at(self, *path: str) -> Any:
        """Value at a path of keys; None where any of them is missing or no mapping."""
        value = self._document.content
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value

    def keys(self, *path: str) -> tuple[str, ...]:
        """Keys of the mapping at ``path``, none where there is no mapping."""
        value = self.at(*path)
        return tuple(value) if isinstance(value, dict) else ()

    def number(self, *path: str) -> float | None:
        """A number, NaN where something stands there that is none, None where nothing does."""
        value = self.at(*path)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return math.nan
        try:
            return float(value)
        except ValueError:
            return math.nan

    def line(self, *path: str) -> int | None:
        """Line of the value at ``path`` or of what is around it."""
        return self._document.line_of(*path)


def open_settings(
    reading: StoreReading, root: Path, *defaults: str, required: bool = False
) -> Settings | None:
    """The store's ``config``, or the first of ``defaults`` that exists.

    What is wrong becomes a problem of the reading; None where there is nothing to read.
    """
    store = reading.store
    names = [store.config] if store.config else list(defaults)
    name = next((n for n in names if store.file(root, n).is_file()), None)
    if name is None:
        if store.config or required:
            reading.problem(
                store.described(names[0] if names else ""),
                "the settings file is missing",
                "copy it, or correct config in the index",
                warning=True,
            )
        return None
    described = store.described(name)
    try:
        document = read_document(store.file(root, name))
    except OSError as error:
        reading.problem(
            described,
            sentence("cannot be opened ({why})", why=sentence(error.strerror or "I/O error")),
            "check who may read it",
            warning=True,
        )
        return None
    for fault in document.faults:
        reading.problem(
            described,
            sentence("settings: {message}", message=sentence(fault.message)),
            fault.remedy,
            line=fault.line,
            warning=document.content is not None,
        )
    return Settings(document, described) if isinstance(document.content, dict) else None
