"""What perception would say of people who walk, without a picture of them."""

import numpy as np

from edge.domain.frame import Frame
from edge.domain.tracks import Tracks
from edge.perception.motion import Motion
from edge.perception.perception import Percept
from tests.fakes.sources import HEIGHT, WIDTH, grey_planes


def frame(index=0, camera="door", time_s=None):
    time_s = 1000.0 + index / 5 if time_s is None else time_s
    return Frame(camera, index, time_s, 0.0, grey_planes())


def percept(index, camera="door", *, speed=1.0, people=2):
    """Frame ``index`` of people who cross the picture at ``speed`` pixels a frame, for ever."""
    x = (index * speed + np.arange(people) * 17.0) % (WIDTH - 8)
    y = np.linspace(2, HEIGHT - 22, people)
    boxes = np.stack([x, y, x + 8, y + 20], axis=1).astype(np.float32)
    laps = ((index * speed + np.arange(people) * 17.0) // (WIDTH - 8)).astype(np.int64)
    tracks = Tracks(
        laps * people + np.arange(people),
        boxes,
        np.ones(people, np.float32),
        np.zeros(people, np.int32),
    )
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    return Percept(frame(index, camera), tracks, Motion(mask, 1.0, 0.0, False))
