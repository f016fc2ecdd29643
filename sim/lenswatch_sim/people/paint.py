"""What each point of a figure is made of: skin, lip, iris, hair, cloth, glass frame, mask, hat.

Painting happens in the coordinates of the neutral mesh ("rest position"), so that it follows every
morph. Clothes, hair, hats, masks and glasses are shells: copies of the skin moved outwards, of
which :func:`paint` keeps the part that the style asks for.
"""

from __future__ import annotations

import numpy as np

from lenswatch_sim._jit import jit

# Labels in the atlas. The compositor gives each a colour.
NOTHING, SKIN, LIP, BROW, SCLERA, IRIS, PUPIL, HAIR = 0, 1, 2, 3, 4, 5, 6, 7
TOP, BOTTOM, SHOE, FRAME, MASK, HAT, LASH, BEARD = 8, 9, 10, 11, 12, 13, 14, 15
LABELS = 16

# Kinds of surface handed to the rasteriser.
BODY, EYE, SCALP, LONG_HAIR, MASK_SHELL, GLASSES, HAT_SHELL, TOP_CLOTH, BOTTOM_CLOTH = range(9)
SKIRT_CLOTH = 9

# Patterns of a top.
PLAIN, JACKET, STRIPES, SHIRT = range(4)

# Places on the neutral mesh, decimetres.
EYE_X, EYE_Y, EYE_Z = 0.308, 7.284, 1.245
MOUTH_Y = 6.612
CHIN_Y = 6.06
CROWN_Y = 8.49
NECK_Y = 5.85

# Hair styles.
BALD, SHORT, CROP, MEDIUM, BOB, LONG, SCARF = range(7)
# Hats.
NO_HAT, CAP, BEANIE = range(3)


@jit
def noise(x, y, z):  # type: ignore[no-untyped-def]
    """Smooth value noise of three coordinates, 0 to 1."""
    total = 0.0
    ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    fx, fy, fz = x - ix, y - iy, z - iz
    for dz in range(2):
        for dy in range(2):
            for dx in range(2):
                key = (ix + dx) * 374761393 + (iy + dy) * 668265263 + (iz + dz) * 2147483647
                key = (key ^ (key >> 13)) * 1274126177
                value = ((key ^ (key >> 16)) & 0xFFFF) / 65535.0
                wx = fx if dx else 1.0 - fx
                wy = fy if dy else 1.0 - fy
                wz = fz if dz else 1.0 - fz
                total += value * wx * wy * wz
    return total


@jit
def hairline(x, y, z, hair, recede):  # type: ignore[no-untyped-def]
    """Positive where scalp hair grows."""
    side = abs(x)
    front = 7.95 + recede - 0.25 * side * side
    # Behind the ear the line drops to the nape.
    back = (0.95 - z) * 2.2
    line = front - max(0.0, back)
    lowest = 6.75 if hair < MEDIUM else 6.4
    if side > 0.6 and z > 0.75:
        line = min(line, front - (side - 0.6) * 1.5)
    line = max(line, lowest)
    return y - line


@jit
def paint(kind, x, y, z, style, out):  # type: ignore[no-untyped-def]
    """Label of one fragment in ``out[0]`` and its albedo factor in ``out[1]``; 0 discards it.

    ``style`` of a head: hair, recede, hat, mask, glasses, beard, brow thickness, lip strength,
    collar height. Of a body: hem of the top, end of the skirt, pattern, five unused, collar height.
    """
    hair, recede, hat = int(style[0]), style[1], int(style[2])
    side = abs(x)
    detail = 1.0
    label = NOTHING
    if kind == EYE:
        away = np.hypot(side - EYE_X, y - EYE_Y)
        label = PUPIL if away < 0.026 else (IRIS if away < 0.064 else SCLERA)
        if y > EYE_Y + 0.05:
            detail = 0.75
        if 0.055 < away < 0.066:
            detail = 0.6
    elif kind == BODY:
        label = SKIN
        grain = noise(x * 9.0, y * 9.0, z * 9.0)
        detail = 0.94 + 0.12 * (0.6 * grain + 0.4 * noise(x * 27.0, y * 27.0, z * 27.0))
        face = z > 0.95 and 6.0 < y < 8.0
        if face:
            lip = (x / 0.265) ** 2 + ((y - MOUTH_Y) / (0.115 if y > MOUTH_Y else 0.125)) ** 2
            if lip < 1.0 and z > 1.25:
                label = LIP
                detail = 0.95 + 0.1 * grain
                if abs(y - MOUTH_Y) < 0.014:
                    detail = 0.45
            # Brow: an arc that thins outwards.
            along = (side - 0.11) / 0.47
            if 0.0 < along < 1.0:
                arc = 7.505 + 0.07 * np.sin(np.pi * (0.15 + 0.6 * along)) - 0.03 * along
                thick = style[6] * (1.1 - 0.7 * along)
                if abs(y - arc) < thick and z > 0.9:
                    label = BROW
                    detail = 0.9 + 0.3 * noise(x * 60.0, y * 25.0, z)
            # Lid line and the shade of the lashes.
            lid = ((side - EYE_X) / 0.165) ** 2 + ((y - EYE_Y) / 0.085) ** 2
            if 0.55 < lid < 1.25 and label == SKIN:
                if y > EYE_Y + 0.015:
                    label = LASH
                elif lid < 0.95:
                    detail *= 0.8
            # Shade below the eye and a warmer cheek.
            if label == SKIN and 6.98 < y < 7.2 and 0.12 < side < 0.5:
                detail *= 0.95
            cheek = ((side - 0.42) / 0.2) ** 2 + ((y - 6.95) / 0.2) ** 2
            if cheek < 1.0:
                detail *= 1.0 - 0.05 * (1.0 - cheek)
            nostril = ((side - 0.085) / 0.05) ** 2 + ((y - 6.845) / 0.028) ** 2
            if nostril < 1.0 and z > 1.4:
                detail *= 0.45
        if style[5] > 0.0 and label == SKIN and z > 0.55 and y < 6.95:
            # Beard: chin, jaw and upper lip, free around the mouth.
            jaw = y < 6.45 + 0.65 * max(0.0, side - 0.25) and y > 5.95 and side < 0.8
            moustache = 6.70 < y < 6.82 and side < 0.3 and z > 1.3
            if jaw or moustache:
                label = BEARD
                detail = style[5] * (0.75 + 0.5 * noise(x * 45.0, y * 30.0, z * 45.0))
                detail = min(1.0, detail)
        shoulder = side > 0.78 and y < 6.0
        if side < 3.7 and (shoulder or y < style[8] + 0.12 * z):
            label = TOP
    elif kind == SCALP:
        if hair != BALD and hair != SCARF:
            ragged = 0.07 * (noise(x * 18.0, y * 6.0, z * 18.0) - 0.5)
            if hairline(x, y, z, hair, recede) + ragged > 0.0:
                label = HAIR
                detail = 0.65 + 0.6 * noise(x * 22.0, y * 5.0, z * 22.0)
        elif hair == SCARF:
            oval = (x / 0.68) ** 2 + ((y - 7.05) / 0.98) ** 2
            if not (oval < 1.0 and z > 0.45):
                label = HAT
                detail = 0.85 + 0.25 * noise(x * 5.0, y * 3.0, z * 5.0)
    elif kind == LONG_HAIR:
        low = 5.9 if hair == BOB else 5.0
        if hair in (BOB, LONG) and y > low + 0.2 * noise(x * 9.0, 0.0, z * 9.0):
            # The helper hangs over the forehead; keep the face free.
            if not (z > 0.75 and y < 7.95 and side < 0.72):
                label = HAIR
                detail = 0.6 + 0.7 * noise(x * 22.0, y * 2.0, z * 22.0)
        elif hair == SCARF and 5.2 < y < 6.3 and not (z > 0.9 and y > 6.1):
            label = HAT
            detail = 0.8 + 0.3 * noise(x * 4.0, y * 4.0, z * 4.0)
    elif kind == MASK_SHELL:
        top = 7.08 - 0.35 * side
        if style[3] > 0.0 and 6.02 + 0.25 * side < y < top and z > 0.75 and side < 0.7:
            label = MASK
            fold = np.sin(y * 42.0)
            detail = 0.97 + 0.05 * fold
        elif (
            style[3] > 0.0
            and 0.1 < z < 0.8
            and side > 0.5
            and abs(y - 6.95 - (z - 0.4) * 0.1) < 0.02
        ):
            label = MASK
    elif kind == GLASSES:
        if style[4] > 0.0 and z > 0.2:
            away = np.hypot((side - 0.33) / 1.12, y - 7.26)
            rim = z > 1.0 and 0.19 < away < 0.212 + 0.02 * style[4]
            bridge = z > 1.2 and side < 0.13 and abs(y - 7.33) < 0.02
            temple = z < 1.15 and side > 0.5 and abs(y - 7.33) < 0.025
            if rim or bridge or temple:
                label = FRAME
    elif kind == HAT_SHELL:
        brim = 7.95 if hat == CAP else 7.75
        if hat != NO_HAT and y > brim - max(0.0, 0.9 - z) * 0.35:
            label = HAT
            detail = 0.9 + 0.15 * noise(x * 6.0, y * 6.0, z * 6.0)
    elif kind in (TOP_CLOTH, SKIRT_CLOTH):
        hem = style[0] if kind == TOP_CLOTH else style[1]
        if y > hem + 0.05 * noise(x * 2.0, 0.0, z * 2.0) and side < 3.95:
            label = TOP
            detail = 0.82 + 0.22 * noise(x * 2.0, y * 2.0, z * 2.0)
            detail += 0.1 * noise(x * 7.0, y * 3.0, z * 7.0)
            pattern = int(style[2])
            if y < hem + 0.12 or (kind == TOP_CLOTH and side > 3.75):
                detail *= 0.82
            if pattern == STRIPES and side < 3.95 and np.sin((y + 0.15 * side) * 5.5) > 0.35:
                detail *= 0.5
            if pattern != PLAIN and pattern != STRIPES and z > 0.3 and side < 0.9:
                if abs(x) < 0.035:
                    detail *= 0.45
                if pattern == JACKET and y > 4.0 and abs(side - 0.3 * (y - 4.0)) < 0.04:
                    detail *= 0.6
            if pattern == JACKET and z > 0.5 and abs(y - 1.1) < 0.03 and 0.45 < side < 1.15:
                detail *= 0.55
    elif kind == BOTTOM_CLOTH:
        if y < style[0] + 0.12:
            label = BOTTOM if y > -7.5 else SHOE
        detail = 0.8 + 0.22 * noise(x * 2.0, y * 2.0, z * 2.0)
        detail += 0.12 * noise(x * 6.0, y * 2.0, z * 6.0)
    out[0] = label
    out[1] = detail


@jit
def paint_pixels(kinds, rest, style, label, detail):  # type: ignore[no-untyped-def]
    """Paint every covered pixel: ``kinds`` (h, w), -1 where empty; ``rest`` (h, w, 3)."""
    out = np.zeros(2)
    for y in range(kinds.shape[0]):
        for x in range(kinds.shape[1]):
            if kinds[y, x] >= 0:
                paint(kinds[y, x], rest[y, x, 0], rest[y, x, 1], rest[y, x, 2], style, out)
                label[y, x] = int(out[0])
                detail[y, x] = out[1]
