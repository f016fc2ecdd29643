"""Where video goes, as pictures: from districts to sinks, and the network around one node.

Drawn for narrow screens: 400 units wide, so that the letters stay readable on a phone, and never
wider than a column of text. Everything a picture says also stands in a table or sentence beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from lenswatch.measurements.content import Carries
from lenswatch.measurements.routing import RoutingMeasurements
from lenswatch.model import Finding
from lenswatch.reports.charts import fill, picture, tag
from lenswatch.reports.language import Language
from lenswatch.reports.summary import ControlSummary, Summary

_WIDTH = 400.0
_INK = "#1c1f24"
_LETTER = "13"
_BAR = 10.0
_GAP = 18.0
_TALL = 260.0
"""Height of all flows together, without the gaps."""

SHOWN_DISTRICTS, SHOWN_SINKS = 12, 8
_NEIGHBOURS = 5
_LONGEST_NAME = 26
_WORTH_SHOWING = 0.001
"""Share of all octets from which «other places» is drawn: headers of packets are no destination."""


@dataclass(frozen=True, slots=True)
class Row:
    """One district of the table beside the picture."""

    name: str
    amounts: tuple[str, ...]
    """Share of its octets at each sink, in the order of :attr:`Sankey.sinks`."""


@dataclass(frozen=True, slots=True)
class Sankey:
    """The picture from districts to sinks and the same in a table."""

    svg: str
    sinks: tuple[str, ...]
    rows: tuple[Row, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The network around the subject of a finding, and the same in words."""

    svg: str
    sentence: str


def sankey(summary: Summary, language: Language) -> Sankey | None:
    """None where no camera was seen to send video over a proven hop."""
    routing = summary.result.measurements.routing
    if routing is None or routing.centralisation is None:
        return None
    found, _ = routing.centralisation, language.gettext
    flows = found.flows
    total = float(flows.sum())
    districts = np.argsort(-flows.sum(axis=1), kind="stable")
    districts = districts[flows.sum(axis=1)[districts] > 0]
    left = [found.district_names[i] or _("no district given") for i in districts[:SHOWN_DISTRICTS]]
    parts = [flows[i] for i in districts[:SHOWN_DISTRICTS]]
    if len(districts) > SHOWN_DISTRICTS:
        left.append(_("other districts"))
        parts.append(flows[districts[SHOWN_DISTRICTS:]].sum(axis=0))
    matrix = np.array(parts)
    shown = list(range(min(len(found.sinks), SHOWN_SINKS)))
    right = [routing.name(found.sinks[k].vertex) for k in shown]
    central = [found.sinks[k].central for k in shown]
    rest = matrix[:, len(shown) :].sum(axis=1)
    columns = matrix[:, : len(shown)]
    if float(rest.sum()) > _WORTH_SHOWING * total:
        columns = np.concatenate([columns, rest[:, None]], axis=1)
        right.append(_("elsewhere, or kept"))
        central.append(False)
    label = _("From districts to the places where their cameras' video comes to rest")
    shares = columns / np.maximum(matrix.sum(axis=1, keepdims=True), 1.0)
    return Sankey(
        _draw(label, left, right, central, columns / max(total, 1.0)),
        tuple(right),
        tuple(
            Row(name, tuple(language.percent(float(share)) for share in shares[i]))
            for i, name in enumerate(left)
        ),
        _sentence(routing, language),
    )


def _sentence(routing: RoutingMeasurements, language: Language) -> str:
    found, _ = routing.centralisation, language.gettext
    assert found is not None
    text = _(
        "%(share)s of the cameras whose video was seen reach the largest sink that serves more "
        "than one district. Distance to a network in which every camera has a sink of its own: "
        "%(distance)s; Gini coefficient over the sinks: %(gini)s; in clear: %(clear)s."
    ) % {
        "share": language.percent(found.largest_share),
        "distance": language.number(round(found.distance, 2)),
        "gini": language.number(round(found.gini, 2)),
        "clear": language.percent(found.clear_share),
    }
    if found.cuts:
        cut = found.cuts[:3]
        names = "; ".join(
            f"{routing.name(int(routing.sender[link]))} → "
            f"{routing.name(int(routing.receiver[link]))}"
            for link, _share in cut
        )
        text += " " + language.ngettext(
            "Without this link %(share)s of central collection ends: %(links)s.",
            "Without these links %(share)s of central collection ends: %(links)s.",
            len(cut),
        ) % {"share": language.percent(cut[-1][1]), "links": names}
    return text


def network_around(
    summary: Summary, control: ControlSummary, language: Language
) -> Surroundings | None:
    """Around the first failure of a control, where it is one of routing."""
    if not control.failed or not control.failed[0].check.startswith("route-"):
        return None
    return surroundings(summary, control.failed[0], language)


def surroundings(summary: Summary, finding: Finding, language: Language) -> Surroundings | None:
    """Who sends media to a finding's node, whom it sends to, and where a proven path goes on.

    None where the finding is about no node, or no media was seen at it.
    """
    routing = summary.result.measurements.routing
    row = summary.inventory.row_of(finding.subject.removeprefix("node:"))
    if routing is None or row is None or not finding.subject.startswith("node:"):
        return None
    media = routing.carries == Carries.MEDIA
    into = np.flatnonzero(media & (routing.receiver == row))
    out = np.flatnonzero(media & (routing.sender == row))
    if not len(out):
        return None
    into = into[np.argsort(-routing.octets[into], kind="stable")]
    out = out[np.argsort(-routing.octets[out], kind="stable")]
    path = routing.central_path(row)
    inferred = routing.inferred_path(row)
    onward = path[2:] or (list(inferred.vertices[2:]) if inferred else [])
    name = str(summary.inventory.node_id[row])
    _ = language.gettext
    label = _("The network around %(node)s") % {"node": name}
    sentence = _("%(node)s sends media to %(receivers)s.") % {
        "node": name,
        "receivers": _listed(routing, routing.receiver[out].tolist(), language),
    }
    if len(into):
        sentence += " " + _("It receives media from %(senders)s.") % {
            "senders": _listed(routing, routing.sender[into].tolist(), language)
        }
    if onward:
        text = _("A proven path goes on to %(places)s.")
        if not path[2:]:
            text = _("An inferred path goes on to %(places)s.")
        sentence += " " + text % {"places": _listed(routing, onward, language)}
    return Surroundings(
        _draw_around(label, routing, row, into, out, onward, proven=bool(path[2:])), sentence
    )


def _listed(routing: RoutingMeasurements, vertices: Sequence[int], language: Language) -> str:
    names = [routing.name(int(vertex)) for vertex in vertices[:_NEIGHBOURS]]
    more = len(vertices) - len(names)
    text = ", ".join(names)
    if more:
        text += " " + language.gettext("and %(n)s more") % {"n": language.number(more)}
    return text


def _short(name: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in name)
    return escape(shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…")


def _text(name: str, x: float, y: float, anchor: str = "start") -> str:
    return tag(
        "text", _short(name), x=x, y=y, text_anchor=anchor, font_size=_LETTER, fill=_INK,
        class_="ink halo",
    )  # fmt: skip


def _draw(
    label: str,
    left: Sequence[str],
    right: Sequence[str],
    central: Sequence[bool],
    share: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> str:
    """Ribbons from the left to the right, ``share`` of all octets thick."""
    tops = [_stack(share.sum(axis=1)), _stack(share.sum(axis=0))]
    height = max(tops[0][-1], tops[1][-1])
    body, labels = [], []
    at_left, at_right = list(tops[0]), list(tops[1])
    for i in range(len(left)):
        for k in range(len(right)):
            thick = _TALL * float(share[i, k])
            if thick <= 0:
                continue
            y, z = at_left[i], at_right[k]
            middle = _WIDTH / 2
            d = (
                f"M{_BAR:g} {y:.1f}C{middle:g} {y:.1f} {middle:g} {z:.1f} {_WIDTH - _BAR:g} {z:.1f}"
                f"v{max(thick, 0.6):.1f}"
                f"C{middle:g} {z + thick:.1f} {middle:g} {y + thick:.1f} {_BAR:g} {y + thick:.1f}z"
            )
            kind = "fail" if central[k] else "sure"
            body.append(tag("path", d=d, fill_opacity="0.4", **fill(kind)))
            at_left[i] += thick
            at_right[k] += thick
    for side, names in ((0, left), (1, right)):
        for i, name in enumerate(names):
            total = float(share.sum(axis=1 - side)[i])
            y, tall = tops[side][i], max(_TALL * total, 1.0)
            kind = "fail" if side and central[i] else "sure"
            x = _WIDTH - _BAR if side else 0.0
            body.append(tag("rect", x=x, y=y, width=_BAR, height=tall, **fill(kind)))
            labels.append(
                _text(name, _WIDTH - _BAR - 5, y + min(tall / 2 + 5, tall + 4), "end")
                if side
                else _text(name, _BAR + 5, y + min(tall / 2 + 5, tall + 4))
            )
    return picture(_WIDTH, round(height + 4), label, [*body, *labels], "network")


def _stack(shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    """Upper ends of bars one below the other, and where the last ends."""
    y, tops = 8.0, []
    for share in shares:
        tops.append(y)
        # a thin bar still needs room for its name
        y += max(_TALL * float(share), 2.0) + _GAP
    return [*tops, y]


def _draw_around(
    label: str,
    routing: RoutingMeasurements,
    row: int,
    into: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    out: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    onward: Sequence[int],
    *,
    proven: bool,
) -> str:
    """One above the other: who sends to the node, the node, whom it sends to, where it goes on."""
    levels: list[list[tuple[str, str]]] = []
    senders = [(routing.name(int(routing.sender[i])), "sure") for i in into[:2]]
    if len(into) > 2:
        senders.append((f"+ {len(into) - 2}", "open"))
    if senders:
        levels.append(senders)
    own = len(levels)
    levels.append([(routing.name(row), "ink")])
    chosen = out[:2].tolist()
    receivers = [(routing.name(int(routing.receiver[i])), _kind(routing, i)) for i in chosen]
    if len(out) > 2:
        receivers.append((f"+ {len(out) - 2}", "open"))
    levels.append(receivers)
    levels += [[(routing.name(int(vertex)), "fail")] for vertex in onward]
    body, labels = [], []
    step = 62.0
    for depth, level in enumerate(levels):
        y = 14.0 + step * depth
        for k, (name, kind) in enumerate(level):
            x = _WIDTH * (k + 0.5) / len(level)
            if depth:
                above = levels[depth - 1]
                # towards the node from above all senders, from the node to every receiver
                starts = range(len(above)) if depth <= own else [0]
                for start in starts:
                    doubtful = depth > own + 1 and not proven
                    if depth == own + 1 and k < len(chosen):
                        doubtful = not routing.proven[chosen[k]]
                    body.append(
                        tag(
                            "line",
                            x1=_WIDTH * (start + 0.5) / len(above),
                            y1=y - step + 28,
                            x2=x,
                            y2=y - 12,
                            stroke=_INK,
                            stroke_dasharray="5 4" if doubtful else "none",
                            class_="ruler",
                        )
                    )
            body.append(_mark(x, y, kind))
            labels.append(_text(name, x, y + 22, "middle"))
    return picture(_WIDTH, round(14.0 + step * len(levels) - 22), label, [*body, *labels],
                    "network")  # fmt: skip


def _kind(routing: RoutingMeasurements, link: int) -> str:
    receiver = int(routing.receiver[link])
    wrong = routing.possibly_central[receiver] or not routing.declared_sink[receiver]
    return "fail" if wrong else "sure"


def _mark(x: float, y: float, kind: str) -> str:
    if kind == "ink":
        return tag("circle", cx=x, cy=y, r="8", fill=_INK, class_="ink")
    if kind == "fail":
        return tag("rect", x=x - 7, y=y - 7, width="14", height="14", **fill(kind))
    return tag("circle", cx=x, cy=y, r="6", **fill(kind))
