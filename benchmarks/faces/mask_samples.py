"""Random training samples for the mask network: a photo as some camera shows it, masks over it.

Positives are masks over faces, and blur and mosaic anywhere. What resembles a mask and is none is
drawn too, without being labelled: shallow focus, signs, bars, burnt-in text, soft and noisy
pictures, heavy compression.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.faces.masked_photos import (
    Mask,
    Photo,
    Picture,
    as_h264,
    as_jpeg,
    blurred,
    lay,
    mosaic,
    stencil,
)

SIDE = 320
"""Pixels to a side of a sample."""

_CHANGED = 1.2
"""Mean absolute change in brightness steps, beyond the noise, from which a mask can be seen."""


class Sampler:
    """Draws samples from photos with faces and pictures without people."""

    def __init__(self, photos: list[Photo], backgrounds: list[Photo], seed: int) -> None:
        self._photos = photos
        self._backgrounds = backgrounds
        self._random = np.random.default_rng(seed)

    def sample(self) -> tuple[Picture, list[Mask]]:
        """A picture of at most 320×320 px and the masks in it."""
        chance = self._random
        peopled = chance.random() < 0.75 or not self._backgrounds
        pool = self._photos if peopled else self._backgrounds
        photo = pool[int(chance.integers(len(pool)))]
        picture, faces = self._crop(photo)
        picture = self._as_shot(picture, faces)
        masks: list[Mask] = []
        if peopled and chance.random() < 0.6 and len(faces):
            picture, masks = self._mask_faces(picture, faces)
        elif chance.random() < (0.2 if peopled else 0.4):
            picture, masks = self._mask_anything(picture)
        if chance.random() < 0.2:
            picture = self._burn_in(picture)
        return self._transmit(picture, masks)

    def _crop(self, photo: Photo) -> tuple[Picture, NDArray[np.float32]]:
        chance = self._random
        source = photo.picture
        height, width = source.shape[:2]
        if len(photo.faces):
            scale = math.exp(chance.uniform(math.log(0.5), math.log(1.8)))
        else:
            low = min(0.9, SIDE / min(height, width) * 0.8)
            scale = math.exp(chance.uniform(math.log(low), math.log(1.1)))
        side_x = min(width, round(SIDE / scale))
        side_y = min(height, round(SIDE / scale))
        if chance.random() < 0.3:  # the network pads what is no multiple of 32
            side_x = max(round(side_x * chance.uniform(0.6, 1)), 32)
            side_y = max(round(side_y * chance.uniform(0.6, 1)), 32)
        if len(photo.faces) and chance.random() < 0.7:
            x, y, w, h = photo.faces[int(chance.integers(len(photo.faces)))]
            left = x + w / 2 - side_x * chance.uniform(0.15, 0.85)
            top = y + h / 2 - side_y * chance.uniform(0.15, 0.85)
        else:
            left, top = (
                chance.uniform(0, width - side_x + 1),
                chance.uniform(0, height - side_y + 1),
            )
        left = round(min(max(left, 0), width - side_x))
        top = round(min(max(top, 0), height - side_y))
        part = source[top : top + side_y, left : left + side_x]
        size = (
            min(SIDE, max(round(side_x * scale), 32)),
            min(SIDE, max(round(side_y * scale), 32)),
        )
        kinds = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR)
        grow = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LANCZOS4)
        how = (kinds if scale < 1 else grow)[int(chance.integers(3))]
        picture = np.ascontiguousarray(cv2.resize(part, size, interpolation=how))
        faces = photo.faces.copy()
        factor = np.array([size[0] / side_x, size[1] / side_y] * 2, np.float32)
        faces[:, 0] -= left
        faces[:, 1] -= top
        faces *= factor
        middle = faces[:, :2] + faces[:, 2:] / 2
        inside = (middle > 0).all(axis=1) & (middle < np.array(size)).all(axis=1)
        faces = faces[inside]
        if chance.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            faces[:, 0] = size[0] - faces[:, 0] - faces[:, 2]
        return picture, faces

    def _as_shot(self, picture: Picture, faces: NDArray[np.float32]) -> Picture:
        """Light, colour, focus, noise and a first compression."""
        chance = self._random
        if chance.random() < 0.6:
            ramp = np.linspace(0, 1, 256)
            curve = ramp ** math.exp(chance.normal(0, 0.35))
            low, high = chance.uniform(0, 0.12), chance.uniform(0.75, 1.1)
            if chance.random() < 0.12:
                high = chance.uniform(0.25, 0.5)  # night
            table = np.clip((low + (high - low) * curve) * 255, 0, 255)
            tint = 1 + chance.normal(0, 0.06, 3)
            channels = [np.clip(table * t, 0, 255).astype(np.uint8) for t in tint]
            picture = np.stack([c[picture[:, :, i]] for i, c in enumerate(channels)], axis=2)
        if chance.random() < 0.2:
            grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            picture = np.repeat(grey[:, :, None], 3, axis=2)
        if chance.random() < 0.25:
            picture = blurred(picture, chance.uniform(0.3, 1.3))
        if chance.random() < 0.15:
            picture = self._shallow_focus(picture, faces)
        if chance.random() < 0.55:
            sigma = math.exp(chance.uniform(math.log(0.7), math.log(11)))
            noise = chance.normal(0, sigma, (*picture.shape[:2], 1 if chance.random() < 0.5 else 3))
            if chance.random() < 0.3:
                noise = cv2.GaussianBlur(noise, (0, 0), 0.8).reshape(noise.shape) * 2
            picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        if chance.random() < 0.3:
            picture = as_jpeg(picture, int(chance.integers(60, 96)))
        return np.ascontiguousarray(picture)

    def _shallow_focus(self, picture: Picture, faces: NDArray[np.float32]) -> Picture:
        """Out of focus beyond (or within) some large soft shape: no mask."""
        chance = self._random
        height, width = picture.shape[:2]
        alpha = np.zeros((height, width), np.float32)
        if len(faces) and chance.random() < 0.6:
            # One person is sharp, head and shoulders, or out of focus.
            x, y, w, h = faces[int(chance.integers(len(faces)))]
            head = (x - 0.3 * w, y - 0.4 * h, 1.6 * w, 1.7 * h)
            body = (x - 1.2 * w, y + 1.1 * h, 3.4 * w, 5 * h)
            alpha = np.maximum(
                stencil((height, width), head, "ellipse"),
                stencil((height, width), body, "rounded"),
            )
            soft = max(w * chance.uniform(0.02, 0.3), 0.8)
        else:
            size = chance.uniform(0.5, 1.5, 2) * (width, height)
            corner = chance.uniform(-0.5, 0.9, 2) * (width, height)
            alpha = stencil((height, width), (*corner, *size), "ellipse")
            soft = chance.uniform(2, 40)
        alpha = cv2.GaussianBlur(alpha, (0, 0), soft)
        if chance.random() < 0.6:
            alpha = 1 - alpha
        return lay(picture, blurred(picture, math.exp(chance.uniform(0, math.log(9)))), alpha)

    def _mask_faces(
        self, picture: Picture, faces: NDArray[np.float32]
    ) -> tuple[Picture, list[Mask]]:
        chance = self._random
        kind = int(chance.choice(3, p=(0.4, 0.28, 0.32)))
        mixed = chance.random() < 0.25
        share = 1.0 if chance.random() < 0.6 else chance.uniform(0.4, 0.9)
        margin = chance.uniform(0, 0.4) if chance.random() < 0.6 else 0.0
        form = str(chance.choice(["rectangle", "ellipse", "rounded"], p=(0.62, 0.3, 0.08)))
        masks = []
        for face in faces[np.argsort(faces[:, 3])]:
            if chance.random() > share:
                continue
            if mixed:
                kind = int(chance.integers(3))
            x, y, w, h = (float(v) for v in face)
            grow = margin * chance.uniform(0.7, 1.3)
            box = (x - grow * w, y - grow * h, w * (1 + 2 * grow), h * (1 + 2 * grow))
            if min(box[2:]) < 6:
                continue
            picture, mask = self._mask(picture, box, w, kind, form)
            masks.append(mask)
        return picture, masks

    def _mask_anything(self, picture: Picture) -> tuple[Picture, list[Mask]]:
        """Blur or mosaic somewhere: what a mask leaves does not depend on what it hides."""
        chance = self._random
        height, width = picture.shape[:2]
        masks: list[Mask] = []
        for _ in range(int(chance.integers(1, 4))):
            w = math.exp(chance.uniform(math.log(18), math.log(min(width, height) * 0.5 + 1)))
            h = w * chance.uniform(0.9, 1.5)
            if h > height * 0.8 or w > width * 0.8:
                continue
            x, y = chance.uniform(0, width - w), chance.uniform(0, height - h)
            apart = all(
                x > m.box[0] + m.box[2] + 4
                or m.box[0] > x + w + 4
                or y > m.box[1] + m.box[3] + 4
                or m.box[1] > y + h + 4
                for m in masks
            )
            if not apart:
                continue
            form = "ellipse" if chance.random() < 0.35 else "rectangle"
            picture, mask = self._mask(picture, (x, y, w, h), w, int(chance.integers(2)), form)
            masks.append(mask)
        return picture, masks

    def _mask(
        self,
        picture: Picture,
        box: tuple[float, float, float, float],
        face_width: float,
        kind: int,
        form: str,
    ) -> tuple[Picture, Mask]:
        chance = self._random
        height, width = picture.shape[:2]
        x0, y0 = round(box[0]), round(box[1])
        x1, y1 = round(box[0] + box[2]), round(box[1] + box[3])
        w, h = x1 - x0, y1 - y0
        left = 0.0
        if kind == 0:
            sigma = face_width * math.exp(chance.uniform(math.log(0.045), math.log(0.3)))
            picture_inside, sigma = self._soften(picture, (x0, y0, x1, y1), sigma)
            left = w / (2.355 * sigma)
        elif kind == 1:
            largest = max(face_width / 3, 3.01)
            block = round(math.exp(chance.uniform(math.log(3), math.log(largest))))
            origin = (x0, y0) if chance.random() < 0.7 else (0, 0)
            picture_inside = mosaic(picture, block, *origin)
            if chance.random() < 0.25:  # one pixel of each block instead of their mean
                picture_inside = mosaic(picture[::1], block, *origin)
            left = w / block
        else:
            picture_inside = np.empty_like(picture)
            picture_inside[:] = self._fill_colour(picture[max(y0, 0) : y1, max(x0, 0) : x1])
        feather = 0.0
        if chance.random() < 0.12 and kind != 1:
            feather = w * chance.uniform(0.01, 0.07)
        alpha = stencil((height, width), (x0, y0, w, h), form, feather)
        result = lay(picture, picture_inside, alpha)
        inside = alpha > 0.9
        difference = cv2.cvtColor(result, cv2.COLOR_RGB2GRAY).astype(np.float32)
        before = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        changed = float(np.abs(difference - before)[inside].mean()) if inside.any() else 0.0
        visible = (max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
        shown = (visible[2] - visible[0]) * (visible[3] - visible[1])
        if changed < _CHANGED or min(w, h) < 12 or shown < 0.4 * w * h:
            kind = -1
        return result, Mask(kind, (x0, y0, w, h), left)

    def _soften(
        self, picture: Picture, box: tuple[int, int, int, int], sigma: float
    ) -> tuple[Picture, float]:
        """Blurred as programs do it, and the standard deviation that it amounts to."""
        chance = self._random
        how = chance.random()
        x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), box[2], box[3]
        whole = chance.random() < 0.5
        source = picture if whole else np.ascontiguousarray(picture[y0:y1, x0:x1])
        if not source.size:
            return picture, sigma
        if how < 0.7:
            soft = blurred(source, sigma)
        elif how < 0.9:
            size = max(2 * round(sigma * math.sqrt(3)) + 1, 3)
            passes = 1 if chance.random() < 0.6 else 2
            soft = source
            for _ in range(passes):
                soft = np.asarray(cv2.blur(soft, (size, size)), np.uint8)
            sigma = math.sqrt(passes * (size * size - 1) / 12)
        else:
            # Shrunk and enlarged again without steps.
            pixels = max(round(source.shape[1] / (2.355 * sigma)), 2)
            rows = max(round(source.shape[0] / (2.355 * sigma)), 2)
            small = cv2.resize(source, (pixels, rows), interpolation=cv2.INTER_AREA)
            how_large = cv2.INTER_LINEAR if chance.random() < 0.5 else cv2.INTER_CUBIC
            soft = cv2.resize(small, source.shape[1::-1], interpolation=how_large)
        if whole:
            return np.asarray(soft, np.uint8), sigma
        result = picture.copy()
        result[y0:y1, x0:x1] = soft
        return result, sigma

    def _fill_colour(self, under: Picture) -> NDArray[np.uint8]:
        chance = self._random
        pick = chance.random()
        if pick < 0.4:
            return np.zeros(3, np.uint8)
        if pick < 0.48:
            return np.full(3, 255, np.uint8)
        if pick < 0.68:
            return np.full(3, chance.integers(256), np.uint8)
        if pick < 0.8 and under.size:
            return np.asarray(under.mean((0, 1)), np.uint8)
        return chance.integers(0, 256, 3).astype(np.uint8)

    def _burn_in(self, picture: Picture) -> Picture:
        """Clocks, names, bars and signs, as cameras and streets have them."""
        chance = self._random
        height, width = picture.shape[:2]
        picture = picture.copy()
        colour = [int(v) for v in chance.integers(0, 256, 3)]
        if chance.random() < 0.4:
            h = round(height * chance.uniform(0.04, 0.15))
            y = 0 if chance.random() < 0.5 else height - h
            picture[y : y + h] = colour if chance.random() < 0.7 else (0, 0, 0)
        if chance.random() < 0.4:
            # A sign: one colour, but written on.
            w, h = (round(v) for v in chance.uniform(30, 110, 2))
            x, y = (round(v) for v in chance.uniform(0, 1, 2) * (width - 20, height - 20))
            cv2.rectangle(picture, (x, y), (x + w, y + h), colour, -1)
            for row in range(y + 12, y + h, max(round(chance.uniform(10, 26)), 8)):
                self._write(picture, x + 2, row, max(w // 12, 2))
        if chance.random() < 0.7:
            x = round(chance.uniform(0, width * 0.7))
            self._write(picture, x, round(chance.uniform(12, height)), int(chance.integers(4, 22)))
        return picture

    def _write(self, picture: Picture, x: int, y: int, letters: int) -> None:
        chance = self._random
        text = "".join(chr(c) for c in chance.integers(45, 91, letters))
        colour = (255, 255, 255) if chance.random() < 0.6 else (0, 0, 0)
        size = float(chance.uniform(0.3, 0.9))
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)

    def _transmit(self, picture: Picture, masks: list[Mask]) -> tuple[Picture, list[Mask]]:
        """Noise after the mask (rare), compression, and now and then another size."""
        chance = self._random
        if chance.random() < 0.08:
            noise = chance.normal(0, chance.uniform(0.5, 2.5), (*picture.shape[:2], 1))
            picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
        if chance.random() < 0.08:
            scale = chance.uniform(0.6, 1.0)
            size = [max(round(side * scale), 32) for side in picture.shape[1::-1]]
            fx, fy = size[0] / picture.shape[1], size[1] / picture.shape[0]
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            masks = [
                Mask(
                    m.kind if min(m.box[2] * fx, m.box[3] * fy) >= 12 else -1,
                    (m.box[0] * fx, m.box[1] * fy, m.box[2] * fx, m.box[3] * fy),
                    m.left,
                )
                for m in masks
            ]
        pick = chance.random()
        if pick < 0.5:
            picture = as_jpeg(picture, int(chance.integers(40, 96)))
            if chance.random() < 0.05:
                picture = as_jpeg(picture, int(chance.integers(15, 50)))
        elif pick < 0.9:
            picture = as_h264(picture, int(chance.integers(18, 33)), int(chance.choice([1, 1, 3])))
        return np.ascontiguousarray(picture), masks
