"""The still picture behind the people: ground, walls and street furniture, painted once.

Ground and wall are painted flat in metres and laid into perspective at twice the size, which
shrinking then softens.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from edge.ingest.synthetic.camera import Array
from edge.ingest.synthetic.facades import SKY, wall_texture
from edge.ingest.synthetic.scene import KINDS, Lane, Material, Scene, Strip
from edge.ingest.synthetic.shapes import Image

FINER = 2
PIXELS_PER_M = 36
HALF_STREET_M = 32.0  # texture from -32 m to 32 m
LINE_PAINT = (222, 226, 226)

Floats = npt.NDArray[np.float32]


def paint_backdrop(scene: Scene) -> Image:
    """The empty street without its furniture, (H, W, 3)."""
    rng = np.random.default_rng([scene.scene_seed, KINDS.index(scene.kind), 7])
    camera = scene.camera.enlarged(FINER)
    size = (camera.width_px, camera.height_px)
    picture = np.empty((size[1], size[0], 3), np.uint8)
    picture[:] = SKY if scene.kind != "shop" else (205, 210, 212)
    wall, wall_height_m = wall_texture(scene.kind, HALF_STREET_M, PIXELS_PER_M, rng)
    _lay(picture, wall, camera.wall(scene.wall_m) @ _texels(wall_height_m, flip=True))
    ground = ground_texture(scene, rng)
    _lay(picture, ground, camera.ground() @ _texels(0.0, flip=False))
    half = cv2.resize(picture, None, fx=1 / FINER, fy=1 / FINER, interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.uint8)


def ground_texture(scene: Scene, rng: np.random.Generator) -> Image:
    """The ground from above, row 0 at the camera's foot, ``PIXELS_PER_M``."""
    size = (round(scene.wall_m * PIXELS_PER_M), round(2 * HALF_STREET_M * PIXELS_PER_M))
    ground = np.zeros((*size, 3), np.float32)
    for strip in scene.strips:
        rows = slice(round(strip.near_m * PIXELS_PER_M), round(strip.far_m * PIXELS_PER_M))
        ground[rows] = _MATERIALS[strip.material](ground[rows].shape[:2], rng)
        if strip.near_m and strip.material in ("slabs", "asphalt"):
            _kerb(ground, strip)
    for lane in scene.lanes_for("one_way", "drive"):
        _arrows(ground, lane)
    ground *= (1 + mottle(size, (64, 400), rng) * 0.05)[:, :, None]
    away_m = (scene.wall_m - np.arange(size[0]) / PIXELS_PER_M)[:, None, None]
    ground *= 1 - 0.35 * np.exp(-away_m / 0.6)  # it is darker at the foot of the wall
    return np.asarray(np.clip(ground, 0, 255), np.uint8)


def mottle(size: tuple[int, int], grains_px: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Smooth noise of about unit spread with blotches of these sizes, (H, W)."""
    total = np.zeros(size, np.float32)
    for grain in grains_px:
        coarse = rng.normal(size=(size[0] // grain + 2, size[1] // grain + 2))
        total += cv2.resize(coarse.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    return total


def _lay(picture: Image, texture: Image, homography: Array) -> None:
    cv2.warpPerspective(texture, homography, picture.shape[1::-1], dst=picture,
                        flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)  # fmt: skip


def _texels(top_m: float, *, flip: bool) -> Array:
    """Texture pixels to metres, (3, 3); a wall's row 0 is its top."""
    step = 1 / PIXELS_PER_M
    return np.array([[step, 0, -HALF_STREET_M], [0, -step if flip else step, top_m], [0, 0, 1]])


def _tiled(
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    tile_m: tuple[float, float],
    colour: tuple[int, int, int],
    spread: float,
    joint: float,
) -> Floats:
    """Tiles (deep, wide) of varied tone with dark joints, every other row shifted by half."""
    deep, wide = (max(2, round(m * PIXELS_PER_M)) for m in tile_m)
    row, column = np.arange(size[0])[:, None], np.arange(size[1])[None]
    shifted = column + (row // deep % 2) * (wide // 2)
    tones = rng.normal(1, spread, (size[0] // deep + 1, size[1] // wide + 2))
    tone = tones[np.broadcast_to(row // deep, shifted.shape), shifted // wide]
    tone = np.where((row % deep < 1) | (shifted % wide < 1), tone * joint, tone)
    tone *= rng.normal(1, 0.025, size)
    return np.asarray(tone[:, :, None] * np.array(colour), np.float32)


def _paving(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    return _tiled(size, rng, tile_m=(0.3, 0.6), colour=(138, 152, 166), spread=0.045, joint=0.78)


def _slabs(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    return _tiled(size, rng, tile_m=(0.75, 0.75), colour=(158, 163, 168), spread=0.03, joint=0.8)


def _tiles(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    return _tiled(size, rng, tile_m=(0.6, 0.6), colour=(182, 192, 200), spread=0.012, joint=0.88)


def _marked(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Reddish tiles between two white lines."""
    strip = _tiled(size, rng, tile_m=(0.4, 0.8), colour=(118, 120, 142), spread=0.03, joint=0.85)
    line = round(0.08 * PIXELS_PER_M)
    strip[:line] = strip[-line:] = LINE_PAINT
    return strip


def _asphalt(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Grain, patches and a broken centre line."""
    tone = 1 + 0.05 * rng.normal(size=size) + 0.05 * mottle(size, (9, 90), rng)
    road = np.asarray(tone[:, :, None] * np.array((88, 86, 84)), np.float32)
    middle, half = size[0] // 2, round(0.07 * PIXELS_PER_M)
    dash, period = 3 * PIXELS_PER_M, 6 * PIXELS_PER_M
    on = np.arange(size[1]) % period < dash
    road[middle - half : middle + half, on] = LINE_PAINT
    return road


def _arrows(ground: Floats, lane: Lane) -> None:
    """An arrow every 6 m the way that everybody goes."""
    outline = np.array(
        [
            (-0.9, -0.08),
            (0.3, -0.08),
            (0.3, -0.28),
            (0.9, 0),
            (0.3, 0.28),
            (0.3, 0.08),
            (-0.9, 0.08),
        ]
    )
    outline = outline * (lane.direction, 1) * PIXELS_PER_M
    for x in range(PIXELS_PER_M, ground.shape[1], 6 * PIXELS_PER_M):
        points = np.rint(outline + np.array([x, lane.middle_m * PIXELS_PER_M])).astype(np.int32)
        cv2.fillPoly(ground, [points], LINE_PAINT)


def _kerb(ground: Floats, strip: Strip) -> None:
    """A light kerbstone where the strip begins, with a dark gutter."""
    row = round(strip.near_m * PIXELS_PER_M)
    half = round(0.12 * PIXELS_PER_M)
    ground[row - half : row + half] = (176, 178, 180)
    ground[row + half : row + 2 * half] *= 0.8


_MATERIALS: dict[Material, Callable[[tuple[int, int], np.random.Generator], Floats]] = {
    "paving": _paving,
    "slabs": _slabs,
    "tiles": _tiles,
    "marked": _marked,
    "asphalt": _asphalt,
}
