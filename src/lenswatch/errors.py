"""Everything lenswatch raises on purpose.

::

    LenswatchError               the base: str() of each is a sentence for a person
    ├── UsageError               the call itself is wrong (exit code 2)
    ├── EvidenceError            evidence that cannot be read (becomes a Problem inside an audit)
    │   └── EvidenceUnusable     nothing at all can be audited (exit code 2)
    └── PolicyError              a policy pack or an exceptions file is wrong (exit code 2)

An error text names the file, the place in it and the remedy. It never quotes evidence: a line of a
capture or a cell of a table may hold an address or a name.
"""

from __future__ import annotations


class LenswatchError(Exception):
    """Base of all errors that are meant for the user."""


class UsageError(LenswatchError):
    """The command or call is wrong; the text says what would be right."""


class EvidenceError(LenswatchError):
    """A piece of evidence cannot be read.

    ``file`` is the path as the user knows it (relative to the bundle where there is one), ``line``
    counts from 1, ``offset`` is in bytes from 0; ``remedy`` is what to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str,
        remedy: str,
        line: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.message = message
        self.file = file
        self.line = line
        self.offset = offset
        self.remedy = remedy
        super().__init__(f"{location(file, line, offset)}: {message} ({remedy})")


class EvidenceUnusable(EvidenceError):
    """The bundle as a whole cannot be audited: no deployment, no inventory."""


class PolicyError(LenswatchError):
    """A policy pack, a control or an exception is malformed or contradicts another."""


def location(file: str, line: int | None = None, offset: int | None = None) -> str:
    """``file:line`` or ``file@offset``, as error texts and findings print a place."""
    if line is not None:
        return f"{file}:{line}"
    if offset is not None:
        return f"{file}@{offset}"
    return file
