"""Results side by side: who got what right, with intervals, as data and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lenswatch.errors import EvidenceError
from lenswatch.suites.plot import level_plot, share_bar

_NEEDED = ("suite", "tool", "metrics", "cases")
_IDENTITY = ("id", "version", "digest", "size", "seed", "truth")


@dataclass(frozen=True, slots=True)
class Row:
    """One tool of a board."""

    tool: str
    version: str
    fault: str
    standing: float
    """Mean over all labels of the lower bound of what it got right; 0 for a label it lacks."""
    shares: Mapping[str, Mapping[str, Any]]
    """Metrics by label, as in the file of results."""


@dataclass(frozen=True, slots=True)
class Board:
    """All tools that were given the same cases."""

    suite: Mapping[str, Any]
    title: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_results(paths: Sequence[Path]) -> list[Mapping[str, Any]]:
    """Files of results, those of folders included, in the order of their names.

    Raises :class:`~lenswatch.errors.EvidenceError` for a file that is none.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    found = []
    for path in files:
        try:
            content = json.loads(path.read_bytes())
            whole = all(key in content for key in _NEEDED) and all(
                key in content["suite"] for key in _IDENTITY
            )
        except (OSError, ValueError, TypeError, RecursionError):
            whole = False
        if not whole:
            raise EvidenceError(
                "no file of results", file=str(path), remedy="name files of `lenswatch suite run`"
            )
        found.append(content)
    if not found:
        raise EvidenceError(
            "no file of results here", file=str(paths[0]), remedy="run `lenswatch suite run` first"
        )
    return found


def boards(results: Sequence[Mapping[str, Any]]) -> tuple[Board, ...]:
    """One board for each set of cases; a tool given twice counts with its last result."""
    groups: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for content in results:
        key = tuple(str(content["suite"][name]) for name in _IDENTITY)
        tool = content["tool"]
        groups.setdefault(key, {})[f"{tool['id']} {tool['version']}"] = content
    found = []
    for key in sorted(groups):
        members = list(groups[key].values())
        suite = members[0]["suite"]
        labels = tuple(sorted({row["label"] for m in members for row in m["metrics"]}))
        rows = sorted(
            (_row(content, labels) for content in members), key=lambda r: (-r.standing, r.tool)
        )
        title = f"{suite['title']} ({suite['id']} {suite['version']}, {suite['size']})"
        found.append(Board(suite, title, labels, tuple(rows)))
    return tuple(found)


def _row(content: Mapping[str, Any], labels: Sequence[str]) -> Row:
    shares = {row["label"]: row for row in content["metrics"]}
    bounds = [shares[label]["right"]["lower"] if label in shares else 0.0 for label in labels]
    standing = sum(bounds) / len(bounds) if bounds else 0.0
    tool = content["tool"]
    return Row(tool["title"], tool["version"], content.get("fault", ""), standing, shares)


def leaderboard_page(ranked: Sequence[Board]) -> str:
    """One HTML file with everything in it: no script, nothing loaded from elsewhere."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(
        Path(__file__).with_name("leaderboard.html.j2").read_text("utf-8")
    )
    return template.render(boards=ranked, bar=share_bar, plot=level_plot)
