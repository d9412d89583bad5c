import numpy as np
import pytest

from edge.ingest.synthetic.scene import build_scene
from edge.ingest.synthetic.world import Planted, Schedule, World


def scene_of(kind):
    return build_scene(kind, 1, width_px=640, height_px=360)


@pytest.mark.parametrize("seed", range(5))
def test_no_car_drives_through_another(seed):
    planted = tuple(Planted("wrong_way", start) for start in (10.0, 30.0, 50.0))
    world = World(scene_of("road"), Schedule(planted=planted), seed)
    for time_s in np.arange(0, 70, 0.2):
        states = [actor.at(time_s) for actor in world.at(time_s) if actor.species == "car"]
        for number, one in enumerate(states):
            for other in states[number + 1 :]:
                assert abs(one.x_m - other.x_m) > 4.0 or abs(one.z_m - other.z_m) > 1.8


def test_ids_are_given_once():
    world = World(scene_of("precinct"), Schedule(anomalies=("running",)), 3)
    lives = {}
    for time_s in np.arange(0, 60, 0.5):
        for actor in world.at(time_s):
            assert lives.setdefault(actor.object_id, actor) == actor
    assert len(lives) > 20


def test_the_street_is_peopled_from_the_first_moment():
    assert len(World(scene_of("precinct"), Schedule(), 0).at(0.0)) >= 5
