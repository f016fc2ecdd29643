"""Masks laid over parts of a picture in the camera: mosaic and blur; fills are in ``fills``.

Two questions about a brightness plane (h, w):

- :func:`find_mosaics`: where are blocks of one value? A camera's optics spread every edge over two
  pixels or more; a mosaic's steps are one pixel wide, stand alone, run straight for a whole block,
  and return with one period in both directions. Signs and windows have such steps too, but no
  period.
- :func:`softness`: is the finest detail in a box coarser than around it? Blur and defocus alike
  have no fine detail; only a mask lacks it where its surroundings have it.

Thresholds were chosen on one half of a set of photos and measured on the other (docs/faces.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lenswatch_kernels._jit import kernel

Luma = NDArray[np.uint8]

CELL = 4
"""Pixels to a side of the cells that features are gathered in."""

_STEP = 6  # brightness steps; below it a step may be noise or what compression leaves
_ISOLATED = 0.22  # share of step energy that is isolated, from which a cell may be mosaic
_LEAST_CELLS = 4
_COMB_WEIGHT = 1.5
_LONGEST_PROFILE = 160  # px; more teeth add nothing and cost time
_SMALLEST_BLOCK = 2.8
_FILL_STEPS = 5  # brightness steps within which a fill is one value
_DETAILED = 15.0  # brightness steps; 99 of 100 surroundings of faces in sharp photos have more


def find_mosaics(luma: Luma, least: float = 1.1) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Mosaic regions as boxes ``[x, y, w, h]`` of shape (n, 4), and their scores (n,).

    The score is the strength of the block period in its weaker direction plus 1.5 times the share
    of step energy in isolated straight steps: mosaics from 3 px blocks up score 0.9 to 2, photos of
    streets full of signs rarely 1. Regions under ``least`` are left out. Sides are at least 16 px.
    """
    _check(luma)
    share = _isolated_share(luma)
    boxes = _components(share)
    scores = np.empty(len(boxes), np.float64)
    for i, (x, y, w, h) in enumerate(boxes):
        scores[i] = _mosaic_score(luma, share, x, y, w, h)
    kept = scores >= least
    return boxes[kept], scores[kept]


def mosaic_scores(luma: Luma, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The score of :func:`find_mosaics` for given boxes, 0 where a side is under 12 px."""
    _check(luma)
    scores = np.zeros(len(boxes), np.float64)
    for i, box in enumerate(boxes):
        x, y, w, h = _clip(box, luma.shape)
        if min(w, h) >= 12:
            part = np.ascontiguousarray(luma[y : y + h, x : x + w])
            scores[i] = _mosaic_score(part, _isolated_share(part), 0, 0, w, h)
    return scores


def softness(luma: Luma, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much the finest detail in each box falls short of its surroundings: shape (len(boxes),).

    ``ln(inside) - ln(outside + 1) / 2``, where each is the 95th percentile of the absolute
    4-neighbour Laplacian, at most 40: inside over the middle 0.7 of the box, outside from 1.4 to 2
    times the box. The least of ten: the box, shifted by 0.15 of its side to each of four sides, and
    all five at three quarters of their size, since a mask is hardly ever where a face detector
    would put its box. Sharp faces lie above 0.8, blurred ones mostly below 0.4. NaN for boxes
    under 12 px a side, or whose surroundings hold no detail either (their percentile is under 15):
    a soft picture is no mask.
    """
    _check(luma)
    result = np.full(len(boxes), np.nan, np.float64)
    for i, box in enumerate(boxes):
        x, y, w, h = (int(value) for value in box)
        if min(w, h) < 12 or max(w, h) > 4 * max(luma.shape):
            continue
        for part in (4, 3):
            size = (w * part // 4, h * part // 4)
            for dx, dy in ((0, 0), (3, 0), (-3, 0), (0, 3), (0, -3)):
                left = x + (w - size[0]) // 2 + w * dx // 20
                top = y + (h - size[1]) // 2 + h * dy // 20
                result[i] = np.fmin(result[i], _softness(luma, left, top, *size))
    return result


def evenness(luma: Luma, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share, 0..1, of the middle 0.7 of each box that lies within 5 steps of its median."""
    _check(luma)
    result = np.zeros(len(boxes), np.float64)
    for i, box in enumerate(boxes):
        x, y, w, h = (int(value) for value in box)
        left, right = max(x + w * 3 // 20, 0), x + w - w * 3 // 20
        top, bottom = max(y + h * 3 // 20, 0), y + h - h * 3 // 20
        part = luma[top : max(bottom, 0), left : max(right, 0)]
        if part.size:
            middle = int(np.median(part))
            result[i] = np.mean(np.abs(part.astype(np.int16) - middle) <= _FILL_STEPS)
    return result


def block_size(luma: Luma, box: NDArray[np.int64]) -> float:
    """Side of a mosaic's blocks in px; NaN where there is none, or a side is under 12 px.

    The median distance between peaks of the profiles of both directions. A peak stands 1.6 times
    above the median of its profile. (The best period is often a multiple of the block: it fits the
    strongest edges only.)
    """
    _check(luma)
    x, y, w, h = _clip(box, luma.shape)
    if min(w, h) < 12:
        return float("nan")
    gaps = []
    for profile in _profiles(luma, x, y, w, h):
        middle = profile[1:-1]
        peak = (middle > profile[:-2]) & (middle >= profile[2:])
        peak &= middle >= 1.6 * np.median(profile) + 0.7
        gaps.append(np.diff(np.flatnonzero(peak)))
    both = np.concatenate(gaps)
    return float(np.median(both)) if len(both) else float("nan")


def blur_width(luma: Luma, box: NDArray[np.int64]) -> float:
    """Standard deviation in px of the blur in a box, from how steep its steepest edges are.

    An edge of height A blurred by σ has the slope A / (σ √(2π)) and the curvature
    A / (σ² √(2πe)): σ is their ratio divided by √e. Both are taken at their 98th percentile in the
    middle of the box, over the widest of 8, 4, 2 and 1 px that σ is not small against: between
    neighbours a wide blur differs by less than one brightness step. Many edges close together
    make it read low, by a fifth for weak and by up to half for strong blur (docs/faces.md). At
    least 0.3; NaN where the box is flat or under 12 px a side.
    """
    _check(luma)
    x, y, w, h = _clip(box, luma.shape)
    if min(w, h) < 12:
        return float("nan")
    part = luma[y + h // 8 : y + h - h // 8, x + w // 8 : x + w - w // 8].astype(np.float32)
    width = float("nan")
    for reach in (8, 4, 2, 1):
        if part.shape[1] <= 3 * reach:
            continue
        ahead, here, behind = part[:, 2 * reach :], part[:, reach:-reach], part[:, : -2 * reach]
        steep = float(np.quantile(np.abs(ahead - behind) / 2.0, 0.98))
        bent = float(np.quantile(np.abs(ahead - 2.0 * here + behind), 0.98))
        if steep < 1.0:
            continue
        width = max(reach * steep / max(bent, 0.5) / 1.6487, 0.3)
        if width >= 0.6 * reach:  # a sharp edge gives 0.3
            break
    return width


def _check(luma: Luma) -> None:
    if luma.ndim != 2 or luma.dtype != np.uint8:
        raise ValueError("luma must be (h, w) of uint8")


def _clip(box: NDArray[np.int64], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    left, top = max(int(box[0]), 0), max(int(box[1]), 0)
    right = min(int(box[0] + box[2]), shape[1])
    bottom = min(int(box[1] + box[3]), shape[0])
    return left, top, max(right - left, 0), max(bottom - top, 0)


def _isolated_share(luma: Luma) -> NDArray[np.float32]:
    rows, columns = luma.shape[0] // CELL, luma.shape[1] // CELL
    isolated = np.zeros((rows, columns), np.float32)
    energy = np.zeros((rows, columns), np.float32)
    share = np.zeros((rows, columns), np.float32)
    if rows and columns:
        across = np.zeros(luma.shape, np.int8)
        down = np.zeros(luma.shape, np.int8)
        _signs(luma, across, down)
        _gather(luma, across, down, isolated, energy)
        _shares(isolated, energy, share)
    return share


def _components(share: NDArray[np.float32]) -> NDArray[np.int64]:
    """Boxes in px around connected cells that may be mosaic, after an opening by 3×3 cells."""
    opened = np.zeros(share.shape, np.bool_)
    found = np.zeros((max(share.size // 9, 1), 4), np.int64)
    _open(share, opened)
    count = _bounds(opened, found)
    return found[:count] * CELL


def _mosaic_score(luma: Luma, share: NDArray[np.float32], x: int, y: int, w: int, h: int) -> float:
    if w > 2.5 * h or h > 2.5 * w:
        return 0.0
    cells = share[y // CELL : -(-(y + h) // CELL), x // CELL : -(-(x + w) // CELL)]
    cells = cells[cells > _ISOLATED]
    if not cells.size:
        return 0.0  # before the search for a period, which is what costs time
    across, down = _profiles(luma, x, y, w, h)
    return float(min(_comb(across), _comb(down)) + _COMB_WEIGHT * cells.mean())


def _profiles(
    luma: Luma, x: int, y: int, w: int, h: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean absolute step of each column and of each row, over the middle where it is long."""
    across = np.zeros(max(min(w, _LONGEST_PROFILE) - 1, 0), np.float64)
    down = np.zeros(max(min(h, _LONGEST_PROFILE) - 1, 0), np.float64)
    _profile(
        luma,
        x + max(w - _LONGEST_PROFILE, 0) // 2,
        y + max(h - _LONGEST_PROFILE, 0) // 2,
        across,
        down,
    )
    return across, down


@kernel
def _signs(luma: Luma, across: NDArray[np.int8], down: NDArray[np.int8]) -> None:
    """Sign of each step that stands alone: its neighbours add up to at most half of it."""
    height, width = luma.shape
    for y in range(height):
        for x in range(width):
            here = np.int64(luma[y, x])
            if 1 <= x < width - 2:
                step = np.int64(luma[y, x + 1]) - here
                size = abs(step)
                if size >= _STEP:
                    beside = abs(here - np.int64(luma[y, x - 1])) + abs(
                        np.int64(luma[y, x + 2]) - np.int64(luma[y, x + 1])
                    )
                    if 2 * beside <= size:
                        across[y, x] = 1 if step > 0 else -1
            if 1 <= y < height - 2:
                step = np.int64(luma[y + 1, x]) - here
                size = abs(step)
                if size >= _STEP:
                    beside = abs(here - np.int64(luma[y - 1, x])) + abs(
                        np.int64(luma[y + 2, x]) - np.int64(luma[y + 1, x])
                    )
                    if 2 * beside <= size:
                        down[y, x] = 1 if step > 0 else -1


@kernel
def _gather(
    luma: Luma,
    across: NDArray[np.int8],
    down: NDArray[np.int8],
    isolated: NDArray[np.float32],
    energy: NDArray[np.float32],
) -> None:
    """Step energy a cell, and the part of it in isolated steps that run on straight."""
    rows, columns = energy.shape
    height, width = luma.shape
    for y in range(min(rows * CELL, height - 1)):
        for x in range(min(columns * CELL, width - 1)):
            here = np.int64(luma[y, x])
            right = abs(np.int64(luma[y, x + 1]) - here)
            below = abs(np.int64(luma[y + 1, x]) - here)
            energy[y // CELL, x // CELL] += np.float32(right + below)
            sign = across[y, x]
            if sign != 0 and ((y > 0 and across[y - 1, x] == sign) or across[y + 1, x] == sign):
                isolated[y // CELL, x // CELL] += np.float32(right)
            sign = down[y, x]
            if sign != 0 and ((x > 0 and down[y, x - 1] == sign) or down[y, x + 1] == sign):
                isolated[y // CELL, x // CELL] += np.float32(below)


@kernel
def _shares(
    isolated: NDArray[np.float32], energy: NDArray[np.float32], share: NDArray[np.float32]
) -> None:
    """Isolated part of the energy over 3×3 cells; 1 more in the denominator for each pixel."""
    rows, columns = share.shape
    for row in range(rows):
        for column in range(columns):
            part = np.float32(0.0)
            whole = np.float32(0.0)
            cells = 0
            for y in range(max(row - 1, 0), min(row + 2, rows)):
                for x in range(max(column - 1, 0), min(column + 2, columns)):
                    part += isolated[y, x]
                    whole += energy[y, x]
                    cells += 1
            share[row, column] = part / (whole + np.float32(cells * CELL * CELL))


@kernel
def _open(share: NDArray[np.float32], opened: NDArray[np.bool_]) -> None:
    rows, columns = share.shape
    for row in range(rows - 2):
        for column in range(columns - 2):
            whole = True
            for y in range(row, row + 3):
                for x in range(column, column + 3):
                    if not share[y, x] > _ISOLATED:
                        whole = False
            if whole:
                opened[row : row + 3, column : column + 3] = True


@kernel
def _bounds(cells: NDArray[np.bool_], found: NDArray[np.int64]) -> int:
    """Boxes in cells of the 4-connected groups that are large and full enough."""
    rows, columns = cells.shape
    seen = np.zeros((rows, columns), np.bool_)
    stack = np.empty(cells.size + 1, np.int64)
    count = 0
    for start in range(cells.size):
        if not cells[start // columns, start % columns] or seen[start // columns, start % columns]:
            continue
        seen[start // columns, start % columns] = True
        stack[0] = start
        depth = 1
        left = columns
        top = rows
        right = 0
        bottom = 0
        area = 0
        while depth > 0:
            depth -= 1
            row = stack[depth] // columns
            column = stack[depth] % columns
            area += 1
            left = min(left, column)
            top = min(top, row)
            right = max(right, column + 1)
            bottom = max(bottom, row + 1)
            for side in range(4):
                y = row + (1 if side == 0 else -1 if side == 1 else 0)
                x = column + (1 if side == 2 else -1 if side == 3 else 0)
                if 0 <= y < rows and 0 <= x < columns and cells[y, x] and not seen[y, x]:
                    seen[y, x] = True
                    stack[depth] = y * columns + x
                    depth += 1
        w = right - left
        h = bottom - top
        if w < _LEAST_CELLS or h < _LEAST_CELLS or 5 * area < 2 * w * h or count >= len(found):
            continue
        found[count, 0] = left
        found[count, 1] = top
        found[count, 2] = w
        found[count, 3] = h
        count += 1
    return count


@kernel
def _profile(
    luma: Luma, x: int, y: int, across: NDArray[np.float64], down: NDArray[np.float64]
) -> None:
    for row in range(len(down) + 1):
        for column in range(len(across) + 1):
            here = np.int64(luma[y + row, x + column])
            if column < len(across):
                across[column] += min(abs(np.int64(luma[y + row, x + column + 1]) - here), 40)
            if row < len(down):
                down[row] += min(abs(np.int64(luma[y + row + 1, x + column]) - here), 40)
    for column in range(len(across)):
        across[column] /= len(down) + 1
    for row in range(len(down)):
        down[row] /= len(across) + 1


@kernel
def _comb(profile: NDArray[np.float64]) -> float:
    """Strength, -1..1, of the best period of peaks in a profile; -1 for fewer than 11 values.

    Teeth may lie between pixels: blocks of 4.6 px begin at whole pixels 0, 4, 9, 13, .... A tooth
    that is missing counts: the lower third of the teeth is compared with what lies between them.
    """
    n = len(profile)
    best = -1.0
    if n < 11:
        return best
    total = profile.sum()
    teeth = np.empty(n, np.float64)
    period = _SMALLEST_BLOCK
    while period <= n / 2.5:
        shift = max(0.5, period / 16.0)
        phase = 0.0
        while phase < period:
            count = 0
            on = 0.0
            while True:
                at = int(phase + count * period)
                if at >= n:
                    break
                teeth[count] = profile[at]
                on += profile[at]
                count += 1
            if count >= 2:
                off = (total - on) / (n - count)
                on /= count
                low = np.sort(teeth[:count])[count // 3]
                best = max(best, (low - off) / (on + off + 0.5))
            phase += shift
        period += max(0.5 * period * period / n, 0.05)
    return best


@kernel
def _laplacian_tail(
    luma: Luma, x0: int, y0: int, x1: int, y1: int, hole: tuple[int, int, int, int]
) -> float:
    """95th percentile of the clipped absolute Laplacian outside the hole; NaN without pixels."""
    counts = np.zeros(41, np.int64)
    total = 0
    for y in range(max(y0, 1), min(y1, luma.shape[0] - 1)):
        for x in range(max(x0, 1), min(x1, luma.shape[1] - 1)):
            if hole[0] <= x < hole[2] and hole[1] <= y < hole[3]:
                continue
            value = abs(
                4 * np.int64(luma[y, x])
                - np.int64(luma[y - 1, x])
                - np.int64(luma[y + 1, x])
                - np.int64(luma[y, x - 1])
                - np.int64(luma[y, x + 1])
            )
            counts[value if value < 40 else np.int64(40)] += 1
            total += 1
    if total == 0:
        return np.nan
    seen = 0
    for level in range(41):
        seen += counts[level]
        if 20 * seen >= 19 * total:
            return float(level)
    return 40.0


@kernel
def _softness(luma: Luma, x: int, y: int, w: int, h: int) -> float:
    # twentieths of the box, so that all edges are whole pixels in every lane
    inside = _laplacian_tail(
        luma,
        x + w * 3 // 20,
        y + h * 3 // 20,
        x + w - w * 3 // 20,
        y + h - h * 3 // 20,
        (0, 0, 0, 0),
    )
    hole = (x - w // 5, y - h // 5, x + w + w // 5, y + h + h // 5)
    outside = _laplacian_tail(luma, x - w // 2, y - h // 2, x + w + w // 2, y + h + h // 2, hole)
    if outside < _DETAILED:
        return np.nan
    return float(np.log(max(inside, 1.0)) - 0.5 * np.log(outside + 1.0))
