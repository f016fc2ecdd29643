"""Pictures as inline SVG.

Colours are given twice: as attributes, which a PDF engine understands, and as classes, which the
page's style sheet overrides for dark screens. No style attributes, because the page's content
policy forbids them. Numbers are rounded to a tenth of a unit, so that files stay small and equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from lenswatch.model import Finding, Verdict
from lenswatch.reports.summary import VERDICTS

COLOURS = {
    Verdict.FAIL: "#b3261e",
    Verdict.INCONCLUSIVE: "#a06a00",
    Verdict.EXCEPTED: "#6d4aa8",
    Verdict.PASS: "#0b6e62",
    Verdict.NOT_APPLICABLE: "#7a7f87",
}
_INK = "#1c1f24"
_RULE = "#c9ccd1"

SINGLE_MARKS = 1500
"""Cameras drawn one by one on the map; above that cells of a grid are shaded."""
_MAP_WIDTH = 800.0
_MAP_MARGIN = 16.0
_GRID_COLUMNS = 64


def tag(name: str, content: str = "", /, **attributes: str | float) -> str:
    """An SVG element; ``_`` in names of attributes stands for ``-``."""
    parts = [name]
    for key, value in attributes.items():
        text = f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
        parts.append(f"{key.rstrip('_').replace('_', '-')}={quoteattr(text)}")
    opening = " ".join(parts)
    return f"<{opening}>{content}</{name}>" if content else f"<{opening}/>"


def picture(width: float, height: float, label: str, body: Iterable[str], kind: str) -> str:
    """A whole picture of a class ``kind`` with its title."""
    return tag(
        "svg",
        f"<title>{escape(label)}</title>" + "".join(body),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        class_=kind,
        role="img",
    )


def _bar(body: Iterable[str]) -> str:
    """A bar that fills its table cell; the number stands in text beside it."""
    return tag(
        "svg",
        "".join(body),
        xmlns="http://www.w3.org/2000/svg",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
        focusable="false",
    )


def range_bar(low: float, high: float) -> str:
    """Points from 0 to 100: certain up to ``low``, open up to ``high``."""
    low, high = _percent(low), _percent(high)
    return _bar(
        [
            tag("rect", width="100", height="10", fill="#e8eaed", class_="track"),
            tag("rect", x=low, width=max(high - low, 0.0), height="10", **fill("open")),
            tag("rect", width=low, height="10", **fill("sure")),
        ]
    )


def loss_bar(before: float, lost: float, unsure: float) -> str:
    """One step of the waterfall: points lost for certain, then points that stay open.

    ``before`` is what was left of the 100 points above this step.
    """
    before, lost, unsure = _percent(before), max(lost, 0.0), max(unsure, 0.0)
    return _bar(
        [
            tag("rect", width="100", height="10", fill="#e8eaed", class_="track"),
            tag("rect", x=before - lost, width=lost, height="10", **fill("fail")),
            tag("rect", x=before - lost - unsure, width=unsure, height="10", **fill("open")),
        ]
    )


def interval_bar(finding: Finding, scale: float) -> str:
    """Measured value with its interval against the limit, on an axis from 0 to ``scale``."""
    if finding.measured is None or not scale > 0:
        return ""
    body = [tag("rect", y="4.5", width="100", height="1", fill="#e8eaed", class_="track")]
    if finding.interval is not None:
        lower = _percent(100 * finding.interval.lower / scale)
        upper = _percent(100 * finding.interval.upper / scale)
        width = max(upper - lower, 0.5)
        body.append(tag("rect", x=lower, y="3", width=width, height="4", **fill("open")))
    x = min(_percent(100 * finding.measured / scale), 99.0)
    body.append(tag("rect", x=x, y="1", width="1", height="8", **fill(finding.verdict.value)))
    if finding.limit is not None:
        x = min(_percent(100 * finding.limit / scale), 99.4)
        body.append(tag("rect", x=x, width="0.6", height="10", fill=_INK, class_="ink"))
    return _bar(body)


def interval_scale(findings: Iterable[Finding]) -> float:
    """The axis that holds every value, finite bound and limit of some findings of one control."""
    values = [0.0]
    for finding in findings:
        values += [value for value in (finding.measured, finding.limit) if value is not None]
        if finding.interval is not None:
            values.append(finding.interval.upper)
    finite = [value for value in values if np.isfinite(value)]
    return 1.05 * max(finite)


def _percent(value: float) -> float:
    return 0.0 if not value > 0 else min(float(value), 100.0)


_FILLS = {verdict.value: colour for verdict, colour in COLOURS.items()} | {
    "sure": "#1f4e8c",
    "open": "#9db8dc",
}


def fill(kind: str) -> dict[str, str]:
    """Colour of a verdict, ``sure`` or ``open``, as attribute and as class."""
    return {"fill": _FILLS[kind], "class_": f"v-{kind}"}


@dataclass(frozen=True, slots=True)
class CityMap:
    """A picture of the cameras and how it is to be read."""

    svg: str
    cameras: int
    """Cameras drawn."""
    unplaced: int
    """Cameras without a position."""
    gridded: bool
    """True where cells of a grid are shaded by their share of failing cameras."""
    cell_metres: float = 0.0


def city_map(
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    worst: NDArray[np.int8],
    *,
    label: str,
    districts: Sequence[tuple[str, float, float]] = (),
    distance: Callable[[float], str] = lambda metres: f"{metres:g} m",
) -> CityMap | None:
    """Cameras by position (degrees, WGS 84), marked by the worst verdict about each.

    ``worst`` holds ranks in :data:`~lenswatch.reports.summary.VERDICTS`, -1 for no finding.
    ``districts`` are names with the middle of their cameras. Returns None without any position.
    The projection is equirectangular about the mean latitude: right for a city, not for a country.
    """
    placed = np.isfinite(lat) & np.isfinite(lon) & (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
    if not placed.any():
        return None
    x, y, worst = lon[placed], lat[placed], worst[placed]
    middle = float(np.radians(np.mean(y)))
    shrink = max(float(np.cos(middle)), 0.05)
    frame = _Frame(float(x.min()), float(y.max()), shrink, x, y)
    px, py = frame.place(x, y)
    gridded = len(px) > SINGLE_MARKS
    body = [tag("rect", width=_MAP_WIDTH, height=frame.height, fill="#f4f5f6", class_="land")]
    body += _cells(px, py, worst, frame) if gridded else _marks(px, py, worst)
    for name, middle_lat, middle_lon in districts:
        tx, ty = frame.place(np.array([middle_lon]), np.array([middle_lat]))
        shown = name if len(name) <= 24 else name[:23] + "…"
        body.append(
            tag(
                "text",
                escape("".join(char if char.isprintable() else " " for char in shown)),
                x=float(tx[0]),
                y=float(ty[0]),
                text_anchor="middle",
                font_size="18",
                fill=_INK,
                class_="ink halo",
            )
        )
    body += _ruler(frame, distance)
    return CityMap(
        picture(_MAP_WIDTH, round(frame.height), label, body, "map"),
        len(px),
        int(len(placed) - len(px)),
        gridded,
        frame.metres(_MAP_WIDTH / _GRID_COLUMNS),
    )


class _Frame:
    """From degrees to the picture."""

    def __init__(
        self,
        west: float,
        north: float,
        shrink: float,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
    ) -> None:
        width = max((float(x.max()) - west) * shrink, 1e-4)
        height = max(north - float(y.min()), 1e-4)
        inner = _MAP_WIDTH - 2 * _MAP_MARGIN
        # a strip of cameras along one road would give a picture of no height, or of too much
        self.scale = min(inner / width, 0.62 * inner / height)
        self.west = west - (inner / self.scale - width) / 2 / shrink
        self.north, self.shrink = north, shrink
        self.height = max(height * self.scale, 120.0) + 2 * _MAP_MARGIN + 28.0

    def place(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return (
            _MAP_MARGIN + (x - self.west) * self.shrink * self.scale,
            _MAP_MARGIN + (self.north - y) * self.scale,
        )

    def metres(self, units: float) -> float:
        return units / self.scale * 111_195.0  # metres in a degree of latitude, mean Earth radius


def _marks(px: NDArray[np.float64], py: NDArray[np.float64], worst: NDArray[np.int8]) -> list[str]:
    body = []
    # the worst are drawn last, on top; failures are squares, so that shape says it without colour
    for rank in (-1, 4, 3, 2, 1, 0):
        for i in np.flatnonzero(worst == rank):
            x, y = float(px[i]), float(py[i])
            if rank < 0:
                body.append(
                    tag("circle", cx=x, cy=y, r="3", fill="none", stroke=_RULE, class_="none")
                )
                continue
            kind = VERDICTS[rank].value
            if VERDICTS[rank] is Verdict.FAIL:
                body.append(tag("rect", x=x - 5, y=y - 5, width="10", height="10", **fill(kind)))
            elif VERDICTS[rank] is Verdict.INCONCLUSIVE:
                points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y + 5:.1f} {x - 6:.1f},{y + 5:.1f}"
                body.append(tag("polygon", points=points, **fill(kind)))
            else:
                body.append(tag("circle", cx=x, cy=y, r="4.5", **fill(kind)))
    return body


def _cells(
    px: NDArray[np.float64], py: NDArray[np.float64], worst: NDArray[np.int8], frame: _Frame
) -> list[str]:
    size = _MAP_WIDTH / _GRID_COLUMNS
    column, row = (px / size).astype(np.int64), (py / size).astype(np.int64)
    cell = row * _GRID_COLUMNS + column
    total = np.bincount(cell)
    failing = np.bincount(cell, weights=worst == 0, minlength=len(total))
    body = []
    for index in np.flatnonzero(total):
        x, y = float(index % _GRID_COLUMNS) * size, float(index // _GRID_COLUMNS) * size
        box = {"x": x, "y": y, "width": size - 1, "height": size - 1}
        body.append(tag("rect", **box, fill="#d7dade", class_="cell"))
        share = float(failing[index] / total[index])
        if share:
            opacity = f"{0.15 + 0.85 * share:.2f}"
            body.append(tag("rect", **box, fill_opacity=opacity, **fill("fail")))
    return body


def _ruler(frame: _Frame, distance: Callable[[float], str]) -> list[str]:
    widest = frame.metres(_MAP_WIDTH / 4)
    step = 10.0 ** np.floor(np.log10(max(widest, 1e-6)))
    length = float(max(step * factor for factor in (1, 2, 5) if step * factor <= widest))
    units = length / frame.metres(1.0)
    y = frame.height - 14.0
    return [
        tag(
            "path",
            d=f"M{_MAP_MARGIN:g} {y - 6:.1f}v6h{units:.1f}v-6",
            fill="none",
            stroke=_INK,
            class_="ruler",
        ),
        tag(
            "text",
            escape(distance(length)),
            x=_MAP_MARGIN + units + 8,
            y=y,
            font_size="16",
            fill=_INK,
            class_="ink",
        ),
    ]
