"""Features of cameras that never were, frame after frame."""

import numpy as np

from edge.analysis import STORED_SPECS
from edge.domain.features import SCENE, Cells, Features
from edge.features import scene, scene_segment

WIDTH, HEIGHT = 64, 48


def group(spec, count, rng, *, regions=None):
    """``count`` rows of one group; ``regions``: another group that speaks of the same."""
    values = rng.normal(size=(count, len(spec))).astype(np.float32)
    if regions is not None:
        return Features(
            spec,
            regions.track_id,
            regions.class_id,
            regions.boxes_xyxy,
            values,
            regions.cells,
        )
    of_objects = spec not in (*scene.SPECS, *scene_segment.SPECS)
    cells = Cells(
        rng.integers(0, 20, (count, 2)).astype(np.int32),
        rng.normal(size=(count, 2)).astype(np.float32),
        (22, 40) if count else (1, 1),
    )
    track_id = rng.integers(0, 1 << 40, count) if of_objects else np.full(count, SCENE)
    boxes = rng.uniform(0, 48, (count, 4)).astype(np.float32)
    classes = np.zeros(count, np.int32)
    return Features(spec, track_id, classes, boxes, values, None if of_objects else cells)


def groups(index=0, *, people=2, cells=3, full=True):
    """All groups of one frame, as an extractor gives them; ``full``: with a scene segment."""
    rng = np.random.default_rng(index)
    kinematics, speed, cell_speed, cell_motion, flow, scene_flow, scene_objects = STORED_SPECS
    objects = group(kinematics, people, rng)
    moving = group(cell_speed, cells, rng)
    picture = np.random.default_rng(index + 10**6)  # what is in sight is the same without it
    whole = group(scene_flow, int(full), picture)
    return (
        objects,
        group(speed, people, rng, regions=objects),
        moving,
        group(cell_motion, cells, rng, regions=moving),
        group(flow, people, rng, regions=objects),
        whole,
        group(scene_objects, int(full), picture, regions=whole),
    )


def feed(keeper, frames, *, camera="door", start=0, hz=5.0, score=None, width=WIDTH):
    """Append frames ``start``.. of a camera whose clock began at 1 000 s."""
    for index in range(start, start + frames):
        keeper.append(
            camera,
            groups(index, people=index % 3, cells=index % 4),
            labels=("person",),
            time_s=1000.0 + index / hz,
            width=width,
            height=HEIGHT,
            score=score,
        )
