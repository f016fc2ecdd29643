"""A map picture of the city, ``map.svg``: districts, cameras by where their video goes, routers,
recorders, the platform and the lines between them.

The cameras are a raster of dots, drawn into a PNG inside the SVG: its size does not grow with their
number, and half a million show as density.
"""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lenswatch_sim import city as cities

_WIDTH, _HEIGHT, _MARGIN, _FOOT = 1200, 900, 110, 60
_INK, _PAPER = "#26313b", "#f7f5ef"
_USES = (
    ("kept in its district", (38, 112, 120)),
    ("sent on by the recorder to the platform", (214, 138, 30)),
    ("sent straight to the platform", (190, 60, 45)),
    ("also sent to a cloud", (120, 60, 150)),
)
_SINK, _ROUTER = "#be3c2d", "#26313b"


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """RGBA pixels as a PNG (ISO/IEC 15948): no filter, one stream."""
    height, width = pixels.shape[:2]

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = np.zeros((height, 1 + 4 * width), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    packed = zlib.compress(rows.tobytes(), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def _cameras(city: cities.City) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Longitude and latitude of every camera, (n, 2), and the index of its use."""
    places, uses = [], []
    for district in city.districts:
        numbers = city.block(district.index)
        if not len(numbers):
            continue
        columns = city.columns(numbers)
        routing = city.scenario.part("routing", district.name)
        use = np.full(len(numbers), 1 if routing["central"] else 0)
        use[columns["direct_to_central"] | bool(routing["snapshots_to_central"])] = 2
        use[columns["cloud"]] = 3
        places.append(np.stack([columns["lon"], columns["lat"]], 1))
        uses.append(use)
    return np.concatenate(places), np.concatenate(uses)


def _dots(at: NDArray[np.float64], uses: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The raster of cameras: colour by use, opacity by how many share a pixel."""
    count = len(at)
    # Few cameras are round dots, many are single pixels.
    reach = 5 if count <= 200 else 2 if count <= 5000 else 1 if count <= 50_000 else 0
    sums = np.zeros((len(_USES), _HEIGHT * _WIDTH))
    x, y = np.rint(at[:, 0]).astype(int), np.rint(at[:, 1]).astype(int)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dx * dx + dy * dy > reach * reach + 0.5:
                continue
            u, v = x + dx, y + dy
            inside = (u >= 0) & (u < _WIDTH) & (v >= 0) & (v < _HEIGHT)
            for use in range(len(_USES)):
                some = inside & (uses == use)
                sums[use] += np.bincount(v[some] * _WIDTH + u[some], minlength=sums.shape[1])
    total = sums.sum(0)
    colours = np.array([colour for _, colour in _USES], float)
    pixels = np.zeros((_HEIGHT * _WIDTH, 4))
    covered = total > 0
    pixels[covered, :3] = (sums[:, covered].T @ colours) / total[covered, None]
    full = max(1.0, float(np.quantile(total[covered], 0.98)))
    dense = np.log1p(total[covered]) / np.log1p(full)
    pixels[covered, 3] = 255 * np.clip(0.35 + 0.65 * dense, 0, 1)
    if reach == 5:
        pixels[covered, 3] = 230
    result: NDArray[np.uint8] = np.rint(pixels).astype(np.uint8).reshape(_HEIGHT, _WIDTH, 4)
    return result


def draw(city: cities.City) -> str:
    """The map as SVG."""
    places, uses = _cameras(city)
    low, high = places.min(0), places.max(0)
    span = np.maximum(high - low, 1e-3)
    room = np.array([_WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN - _FOOT])

    def pixel(place: NDArray[np.float64]) -> NDArray[np.float64]:
        share = (place - low) / span
        share[..., 1] = 1 - share[..., 1]
        moved: NDArray[np.float64] = _MARGIN + share * room
        return moved

    at = pixel(places)
    parts: list[str] = []
    centres: list[NDArray[np.float64]] = []
    start = 0
    labels: list[str] = []
    for district in city.districts:
        count = len(city.block(district.index))
        own = at[start : start + count]
        start += count
        if not count:
            continue
        middle = own.mean(0)
        spread = np.maximum(2.1 * own.std(0), 26.0)
        spread[0] = min(spread[0], middle[0] - 20, _WIDTH - 20 - middle[0])
        centres.append(middle)
        parts.append(
            f'<ellipse cx="{middle[0]:.0f}" cy="{middle[1]:.0f}" rx="{spread[0]:.0f}" '
            f'ry="{spread[1]:.0f}" fill="#e4dfd0" stroke="#cfc8b4"/>'
        )
        # Streets: a loose grid that the ellipse cuts off.
        for step in (-0.66, -0.33, 0.0, 0.33, 0.66):
            half = float(np.sqrt(1 - step * step))
            y, x = middle[1] + step * spread[1], middle[0] + step * spread[0]
            parts.append(
                f'<path d="M{middle[0] - half * spread[0]:.0f} {y:.0f}H'
                f"{middle[0] + half * spread[0]:.0f}M{x:.0f} {middle[1] - half * spread[1]:.0f}V"
                f'{middle[1] + half * spread[1]:.0f}" stroke="#fff" stroke-width="3"/>'
            )
        labels.append(
            f'<text x="{middle[0]:.0f}" y="{middle[1] - spread[1] - 7:.0f}" class="d">'
            f"{escape(district.name)} · {count:,} cameras</text>"
        )
    hub = np.mean(centres, axis=0) + np.array([0.30 * room[0], 0.0])
    hub[0] = min(hub[0], _WIDTH - _MARGIN - 40)
    lines, nodes = [], []
    few = len(centres) <= 40
    for district, middle in zip(city.districts, centres, strict=False):
        routing = city.scenario.part("routing", district.name)
        ways = ("central", "direct_to_central", "snapshots_to_central")
        upward = any(routing[way] for way in ways)
        colour, wide = (_SINK, 2.2) if upward else ("#8b959c", 1.2)
        lines.append(
            f'<path d="M{middle[0]:.0f} {middle[1]:.0f}Q{hub[0]:.0f} {middle[1]:.0f} {hub[0]:.0f} '
            f'{hub[1]:.0f}" fill="none" stroke="{colour}" stroke-width="{wide if few else 0.6}" '
            'opacity="0.75"/>'
        )
        size = 9 if few else 4
        nodes.append(
            f'<rect x="{middle[0] - size:.0f}" y="{middle[1] - size:.0f}" width="{2 * size}" '
            f'height="{2 * size}" rx="2" fill="{_ROUTER}" stroke="#fff"/>'
        )
    sink = city.has_platform
    nodes.append(
        f'<circle cx="{hub[0]:.0f}" cy="{hub[1]:.0f}" r="{17 if sink else 11}" '
        f'fill="{_SINK if sink else _ROUTER}" stroke="#fff" stroke-width="2"/>'
        f'<text x="{hub[0]:.0f}" y="{hub[1] + 36:.0f}" class="d">'
        f"{'core and central platform' if sink else 'core router'}</text>"
    )
    return _page(city, parts, _dots(at, uses), lines, nodes, labels, np.bincount(uses, minlength=4))


def _page(
    city: cities.City,
    parts: list[str],
    dots: NDArray[np.uint8],
    lines: list[str],
    nodes: list[str],
    labels: list[str],
    counts: NDArray[Any],
) -> str:
    title = escape(str(city.scenario.values["title"] or city.scenario.name)[:80])
    image = base64.b64encode(_png(dots)).decode()
    legend, x = [], 46
    for (name, colour), count in zip(_USES, counts, strict=True):
        if not count:
            continue
        legend.append(
            f'<circle cx="{x}" cy="{_HEIGHT - 44}" r="6" fill="rgb{colour}"/>'
            f'<text x="{x + 12}" y="{_HEIGHT - 39}" class="l">{name}: {count:,}</text>'
        )
        x += 40 + 7 * len(f"{name}: {count:,}")
    squares = (
        f'<rect x="40" y="{_HEIGHT - 26}" width="12" height="12" rx="2" fill="{_ROUTER}"/>'
        f'<text x="58" y="{_HEIGHT - 15}" class="l">routers and recorder of a district'
        " (red line: its video goes to the platform)</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Map of the simulated city">\n<style>text{{font-family:system-ui,sans-serif;'
        f"fill:{_INK}}}.d{{font-size:15px;text-anchor:middle;font-weight:600;paint-order:stroke;"
        f"stroke:{_PAPER};stroke-width:4px}}.l{{font-size:14px}}.t{{font-size:20px;font-weight:700}}"
        f'</style>\n<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_PAPER}"/>\n'
        f'<text x="40" y="38" class="t">{title} · {city.cameras:,} cameras</text>\n'
        + "\n".join(parts + lines)
        + f'\n<image width="{_WIDTH}" height="{_HEIGHT}" href="data:image/png;base64,{image}"/>\n'
        + "\n".join(nodes + labels + legend + [squares])
        + "\n</svg>\n"
    )


def write(city: cities.City, path: Path) -> None:
    """Write :func:`draw`'s picture."""
    path.write_text(draw(city), "utf-8")
