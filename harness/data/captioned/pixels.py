"""Scenes as pixels, by integers alone: the same on every machine.

A thing's edges are smooth: a pixel holds as much of its colour as it has of 16 points inside the shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import NamedTuple

import numpy as np

from harness.core.packages import require_packages
from harness.data.synthetic.rng import Rng

SIZE = 48
NOISE = 7
NOISE_FIELDS = SIZE
"""So many noises there are in each direction."""
FINE = 4
"""Points in a pixel, in each direction."""


class Thing(NamedTuple):
    """A shape in a colour (red, green, blue), with the pixel its middle is at and how far it reaches from there."""

    shape: str
    colour: tuple[int, int, int]
    x: int
    y: int
    radius: int


class Scene(NamedTuple):
    """A grey ground with one of the noises, and things on it."""

    ground: int
    noise: tuple[int, int]
    things: tuple[Thing, ...]


Inside = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Which points (x, y) are in a shape that reaches r from the middle; y points down."""


def _star(x: np.ndarray, y: np.ndarray, r: int) -> np.ndarray:
    """Five points: where no more than one of its five lines is crossed."""
    normals = ((0, -1000), (-951, -309), (-588, 809), (588, 809), (951, -309))
    return sum((nx * x + ny * y > 309 * r).astype(np.int64) for nx, ny in normals) <= 1


def _heart(x: np.ndarray, y: np.ndarray, r: int) -> np.ndarray:
    """Two discs and what hangs from them."""
    discs = (2 * abs(x) - r) ** 2 + (2 * y + r - r // 4) ** 2 <= r * r
    return discs | ((8 * y >= -3 * r) & (11 * abs(x) <= 8 * (r - y)))


SHAPES: dict[str, Inside] = {
    "circle": lambda x, y, r: x * x + y * y <= r * r,
    "square": lambda x, y, r: 100 * np.maximum(abs(x), abs(y)) <= 84 * r,
    "triangle": lambda x, y, r: (10 * y <= 8 * r) & (18 * abs(x) <= 10 * (y + r)),
    "star": _star,
    "cross": lambda x, y, r: 100 * np.minimum(abs(x), abs(y)) <= 30 * r,
    "ring": lambda x, y, r: (x * x + y * y <= r * r) & (100 * (x * x + y * y) >= 36 * r * r),
    "diamond": lambda x, y, r: 10 * abs(x) + 7 * abs(y) <= 7 * r,
    "heart": _heart,
}


@cache
def mask(shape: str, radius: int) -> np.ndarray:
    """(2 radius + 1, 2 radius + 1, 1): how many of a pixel's 16 points are inside."""
    n = FINE * (2 * radius + 1)
    at = 2 * np.arange(n, dtype=np.int64) + 1 - n
    inside = SHAPES[shape](at[None, :], at[:, None], n).astype(np.int32)
    inside = np.broadcast_to(inside, (n, n)).reshape(n // FINE, FINE, n // FINE, FINE)
    return inside.sum(axis=(1, 3), dtype=np.int32)[:, :, None]


@cache
def _noise() -> np.ndarray:
    rng, size = Rng("noise of scenes"), SIZE + NOISE_FIELDS - 1
    values = [rng.index(2 * NOISE + 1) - NOISE for _ in range(3 * size * size)]
    return np.asarray(values, np.int32).reshape(size, size, 3)


def pixels(scene: Scene) -> np.ndarray:
    """(48, 48, 3) uint8, RGB."""
    canvas = np.full((SIZE, SIZE, 3), scene.ground, np.int32)
    for thing in scene.things:
        inside = mask(thing.shape, thing.radius)
        top, left = thing.y - thing.radius, thing.x - thing.radius
        part = canvas[top : top + len(inside), left : left + len(inside)]
        part += ((np.asarray(thing.colour, np.int32) - part) * inside + 8) >> 4
    y, x = scene.noise
    canvas += _noise()[y : y + SIZE, x : x + SIZE]
    return np.clip(canvas, 0, 255).astype(np.uint8)


def png(scene: Scene) -> bytes:
    """The scene as a file. Raises HarnessError where Pillow is missing."""
    require_packages("PIL", extra="image")
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels(scene)).save(file, "png", compress_level=1)
    return file.getvalue()
