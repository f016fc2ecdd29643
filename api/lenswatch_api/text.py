"""Names that people choose: short, printable, on one line."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# no control characters, line breaks, zero-width or direction-changing characters
_NOT_PRINTABLE = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=rf"^[^\s{_NOT_PRINTABLE}]([^{_NOT_PRINTABLE}]*[^\s{_NOT_PRINTABLE}])?$",
        description="Printable, on one line, without spaces at its ends.",
    ),
]
