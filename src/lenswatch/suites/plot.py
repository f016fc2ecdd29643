"""Pictures of shares as inline SVG; every number in them also stands in text beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

_PARTS = ("right", "withheld", "wrong")
_WIDTH, _HEIGHT = 640.0, 300.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 46.0, 16.0, 96.0, 40.0


def share_bar(share: Mapping[str, float]) -> str:
    """A share as a bar with its interval as a line, 100 units wide."""
    value, lower, upper = (100 * share[name] for name in ("share", "lower", "upper"))
    return (
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rest" width="100" height="8"/>'
        f'<rect class="part" width="{value:.1f}" height="8"/>'
        f'<rect class="span" x="{lower:.1f}" y="3" height="2" '
        f'width="{max(upper - lower, 0.6):.1f}"/>'
        "</svg>"
    )


def level_plot(shares: Mapping[str, Mapping[str, Any]], *, alone: bool = False) -> str:
    """Right, withheld and wrong against the level of faults; empty where labels are no levels.

    ``shares`` are metrics by label, of which ``level N`` are drawn, with intervals. ``alone`` gives
    a file of its own with its colours inside, else the page's style sheet gives them.
    """
    levels = {}
    for label, row in shares.items():
        if match := re.fullmatch(r"level (\d+)", label):
            levels[int(match[1])] = row
    if len(levels) < 2:
        return ""
    most = max(levels)

    def x(level: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * level / most

    def y(share: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)

    body = [
        f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y(share):.1f}" '
        f'y2="{y(share):.1f}"/>' + _text(_LEFT - 6, y(share) + 4, f"{share:.0%}", "end")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    body += [_text(x(level), _HEIGHT - 20, str(level), "middle") for level in sorted(levels)]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    body.append(_text(middle, _HEIGHT - 4, "level of faults", "middle"))
    told = []
    for part in _PARTS:
        rows = [(level, levels[level][part]) for level in sorted(levels)]
        body += [
            f'<line class="{part} span" x1="{x(n):.1f}" x2="{x(n):.1f}" '
            f'y1="{y(row["lower"]):.1f}" y2="{y(row["upper"]):.1f}"/>'
            for n, row in rows
        ]
        points = " ".join(f"{x(n):.1f},{y(row['share']):.1f}" for n, row in rows)
        last = y(rows[-1][1]["share"])
        body.append(f'<polyline class="{part}" points="{points}"/>')
        body.append(
            f'<text class="{part}" x="{_WIDTH - _RIGHT + 8:g}" y="{last + 4:.1f}">{part}</text>'
        )
        values = ", ".join(f"{row['share']:.1%}" for _, row in rows)
        told.append(f"{part} at level 0 to {most}: {values}")
    style = f"<style>{STYLE}</style>" if alone else ""
    title = escape("Share of verdicts. " + "; ".join(told))
    return (
        '<svg class="plot" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}"><title>{title}</title>'
        f"{style}{''.join(body)}</svg>"
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#57606a}polyline{fill:none;stroke-width:2.5}"
    "line.grid{stroke:#d0d7de}line.span{stroke-width:1.5;opacity:.5}"
    "polyline.right,line.right{stroke:#0b6e62}text.right{fill:#0b6e62}"
    "polyline.withheld,line.withheld{stroke:#a06a00;stroke-dasharray:7 4}"
    "text.withheld{fill:#a06a00}"
    "polyline.wrong,line.wrong{stroke:#b3261e;stroke-dasharray:2 3}text.wrong{fill:#b3261e}"
)
