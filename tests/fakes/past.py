"""A camera's past: what minutes of watching would have left, made unpaced."""

import time

from edge.analysis import Keeper, Pupil
from edge.compose import learning_plan, make_source
from edge.config import EdgeConfig
from edge.ingest.feed import read_frames
from edge.perception.perception import Perception
from edge.scoring.model import CameraModel


def watched(config: EdgeConfig, name: str, keeper: Keeper, *, seconds: float) -> CameraModel:
    """Store and learn ``seconds`` of the camera's own footage, which end a little before now."""
    camera = config.cameras[name]
    pupil = Pupil(name, learning_plan(config, camera), keeper=keeper)
    perception = Perception()
    began_s = time.time() - seconds - 10.0
    for frame in read_frames(
        make_source(camera, paced=False),
        camera=name,
        analysis_hz=camera.analysis_hz,
        max_width=camera.max_width,
        start_s=began_s,
    ):
        if frame.time_s > began_s + seconds:
            break
        pupil.watch(perception.observe([frame])[0])
    return pupil.graduate()
