"""Names out of evidence, made fit for a message.

File and camera names are written by strangers: they may hold control characters, halves of
surrogate pairs or megabytes of text. A message shows a harmless, short form.
"""

from __future__ import annotations

__all__ = ["shown"]

_LONGEST = 160


def shown(name: str) -> str:
    """``name`` on one line, printable, at most 160 characters, with ``?`` for what is not."""
    if len(name) > _LONGEST:
        name = name[: _LONGEST // 2] + "…" + name[-_LONGEST // 2 + 1 :]
    return "".join(char if char.isprintable() else "?" for char in name)
