"""A camera that learns walkers: their features written by hand, objects and cells of the scene."""

import numpy as np

from edge.domain.features import SCENE, Cells, Feature, Features, FeatureSpec
from edge.domain.tracks import Tracks
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.scorer import CameraScorer

WIDTH, HEIGHT = 640, 360
RATE_HZ = 5
GAIT = FeatureSpec("gait", 1, (Feature("speed", "heights/s", 0.1, True), Feature("sway", "")))
CELLS = FeatureSpec("cells", 1, (Feature("energy", ""),), excess=True)
GRID = (9, 16)  # rows and columns of cells of 40 px
WALKERS = ((1.0, 0.1), (1.2, 0.1))  # speed and sway


def boxes(count: int):
    return np.array([[100 + 90 * k, 100, 140 + 90 * k, 200] for k in range(count)], np.float32)


def gait(rows, track_ids=None) -> Features:
    """One row (speed, sway) per object."""
    values = np.array(rows, np.float32).reshape(-1, 2)
    ids = range(1, len(values) + 1) if track_ids is None else track_ids
    ids = np.array(list(ids), np.int64)
    classes = np.zeros(len(values), np.int32)
    return Features(GAIT, ids, classes, boxes(len(values)), values)


def cells(energy, columns_rows=((13, 7), (14, 7), (15, 7))) -> Features:
    """Cells that stand still, in a corner where nobody is unless told otherwise."""
    place = np.array(columns_rows[: len(energy)], np.int32).reshape(-1, 2)
    return Features(
        CELLS,
        np.full(len(energy), SCENE, np.int64),
        np.zeros(len(energy), np.int32),
        np.concatenate([place, place + 1], axis=1).astype(np.float32) * 40,
        np.array(energy, np.float32).reshape(-1, 1),
        Cells(place, np.zeros(place.shape, np.float32), GRID),
    )


def tracks_of(group: Features, class_id: int = 0) -> Tracks:
    return Tracks(
        group.track_id,
        group.boxes_xyxy,
        np.ones(len(group), np.float32),
        np.full(len(group), class_id, np.int32),
    )


def walk(rng):
    """Two people who walk."""
    return np.stack([rng.normal((1.0, 1.2), 0.15), rng.normal(0.1, 0.03, 2)], axis=1)


def footage(frames: int = 1500, seed: int = 0, *, with_cells: bool = False, rare=()):
    """Walkers; in the frames named ``rare`` the first of them cycles."""
    rng = np.random.default_rng(seed)
    collected = NormalFootage()
    for k in range(frames):
        rows = walk(rng)
        if k in rare:
            rows[0] = cycling(rng)
        # a new track every 8 s; who cycles is nobody who walked
        groups = [gait(rows, [2 * (k // 40) + 9000 * (k in rare), 2 * (k // 40) + 1])]
        if with_cells:
            groups.append(cells(rng.normal(5, 1, 3)))
        collected.add(groups, time_s=k / RATE_HZ, width=WIDTH, height=HEIGHT)
    return collected


def cycling(rng):
    """Faster than any walker, and steady."""
    return rng.normal((3.5, 0.6), (0.15, 0.03))


def learn(collected: NormalFootage | None = None, **options: object) -> CameraModel:
    return learn_camera(
        collected or footage(),
        camera="gate",
        alarms_per_day=2,
        created_s=0.0,
        options=ScoringOptions(**options),
    )


def observe(scorer: CameraScorer, *groups: Features, index: int, tracks: Tracks | None = None):
    """The score of frame ``index``; the objects of the first group are what is tracked."""
    if tracks is None:
        objects = [group for group in groups if group.cells is None]
        tracks = tracks_of(objects[0]) if objects else Tracks.none()
    return scorer.observe(
        groups, tracks, index=index, time_s=index / RATE_HZ, width=WIDTH, height=HEIGHT
    )
