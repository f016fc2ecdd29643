"""Writing a report so that nobody ever reads half of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def text_output(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """A text file that takes its name only once it is whole.

    Lone surrogates, which a hostile inventory can hold and UTF-8 cannot, become ``?``; line ends
    are ``\\n`` on every system, so that the same evidence gives the same bytes.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding=encoding, errors="replace", newline="\n") as stream:
            yield stream
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a whole text at once."""
    with text_output(path) as stream:
        stream.write(text)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a whole binary file at once."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
