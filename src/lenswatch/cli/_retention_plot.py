"""Age against limit, one bar a camera and kind: for the terminal, and as SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from rich.text import Text

    from lenswatch.measurements.retention import RetentionMeasurements

__all__ = ["as_svg", "bar", "label"]

_WIDTH = 30
_ROW = 22


def label(found: RetentionMeasurements, row: int) -> str:
    """Camera's name in the store, printable; ``(no camera)`` where there is none."""
    from lenswatch.evidence.recordings.names import shown

    name = found.stores[found.store[row]].cameras[found.camera[row]]
    return shown(name)[:32] or "(no camera)"


def _scale(found: RetentionMeasurements) -> float:
    """Hours at the end of the axis."""
    import numpy as np

    ages = found.age_high[found.count > 0]
    limits = found.limit[np.isfinite(found.limit)]
    return float(np.concatenate([ages, limits, np.ones(1)]).max())


def _limit(found: RetentionMeasurements, row: int) -> float | None:
    """The declared limit, else what the recorder is set to."""
    import numpy as np

    for value in (found.limit[row], found.configured[row]):
        if np.isfinite(value):
            return float(value)
    return None


def bar(found: RetentionMeasurements, row: int) -> Text:
    """One line: the certain age solid, the uncertain part light, the limit as a stroke."""
    from rich.text import Text

    from lenswatch.evidence.recordings.artefacts import Kind

    scale = _scale(found)
    low = round(_WIDTH * float(found.age_low[row]) / scale)
    high = max(low, round(_WIDTH * float(found.age_high[row]) / scale))
    limit = _limit(found, row)
    over = limit is not None and float(found.age_low[row]) > limit
    cells = list("█" * low + "░" * (high - low) + " " * (_WIDTH - high))
    line = Text(f"{label(found, row)[:20]:<20} {Kind(int(found.kind[row])).words:<10} ")
    body = Text("".join(cells[:_WIDTH]), style="red" if over else "green")
    if limit is not None and limit <= scale:
        place = min(_WIDTH - 1, round(_WIDTH * limit / scale))
        body = body[:place] + Text("┃", style="bold") + body[place + 1 :]
    line.append_text(body)
    line.append(f" {float(found.age[row]):.1f} h" + ("" if limit is None else f" of {limit:.0f} h"))
    return line


def as_svg(found: RetentionMeasurements, limit: float | None) -> str:
    """The same as a picture: no script, no font of its own, readable in print."""
    from lenswatch.evidence.recordings.artefacts import Kind

    rows = [row for row in range(len(found)) if found.count[row]]
    scale = _scale(found)
    left, width, height = 260, 560, 46 + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 120} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        "<title>Age of the oldest artefact of each camera, in hours, against its limit</title>",
        f'<text x="{left}" y="14">hours before the audit, 0 to {scale:.0f}</text>',
    ]
    for number, row in enumerate(rows):
        top = 24 + _ROW * number
        low, high = (width * float(v[row]) / scale for v in (found.age_low, found.age_high))
        own = _limit(found, row) if limit is None else limit
        over = own is not None and float(found.age_low[row]) > own
        name = f"{label(found, row)} · {Kind(int(found.kind[row])).words}"
        colour = "#b3261e" if over else "#2e7d4f"
        parts.append(
            f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{left}" y="{top}" width="{low:.1f}" height="16" fill="{colour}"/>'
            f'<rect x="{left + low:.1f}" y="{top}" width="{max(0.0, high - low):.1f}" height="16" '
            f'fill="{colour}" fill-opacity="0.35"/>'
            f'<text x="{left + high + 6:.1f}" y="{top + 13}">{float(found.age[row]):.1f} h</text>'
        )
        if own is not None and own <= scale:
            place = left + width * own / scale
            parts.append(
                f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{top - 3}" y2="{top + 19}" '
                'stroke="#111" stroke-width="2"/>'
            )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
