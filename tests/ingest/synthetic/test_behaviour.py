import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.ingest.synthetic.behaviour import (
    ANOMALIES,
    LINGER_S,
    RUNNING_MPS,
    WALKING_MPS,
    anomaly,
    crowd,
)  # fmt: skip
from edge.ingest.synthetic.scene import KINDS, build_scene

SEEDS = st.integers(0, 2**31)


def scene_of(kind, seed=0):
    return build_scene(kind, seed, width_px=640, height_px=360)


@settings(deadline=None)
@given(kind=st.sampled_from(KINDS), seed=SEEDS)
def test_paths_have_no_gap_in_time_or_space(kind, seed):
    rng = np.random.default_rng(seed)
    scene = scene_of(kind)
    parties = [crowd(scene, lane, rng) for lane in scene.lanes if lane.arrivals_hz]
    parties += [anomaly(name, scene, rng)[0] for name in ANOMALIES[kind]]
    for actor in (actor for party in parties for actor in party):
        for leg, after in zip(actor.legs, actor.legs[1:], strict=False):
            assert leg.end_s == after.start_s
            assert leg.end_m == after.start_m
        assert all(leg.start_s < leg.end_s for leg in actor.legs)


@settings(deadline=None)
@given(kind=st.sampled_from(["precinct", "road"]), seed=SEEDS)
def test_walkers_walk_at_walking_speed_within_their_lane_and_stop_briefly(kind, seed):
    scene, rng = scene_of(kind), np.random.default_rng(seed)
    for lane in scene.lanes_for("walk", "one_way"):
        for leg in crowd(scene, lane, rng)[0].legs:
            speed = leg.length_m / (leg.end_s - leg.start_s)
            if leg.action == "standing":
                assert leg.end_s - leg.start_s < LINGER_S
            else:
                assert WALKING_MPS[0] - 1e-9 <= speed <= WALKING_MPS[1] + 1e-9
            assert lane.near_m <= leg.start_m[1] <= lane.far_m


@settings(deadline=None)
@given(kind=st.sampled_from(KINDS), seed=SEEDS)
def test_one_way_traffic_keeps_its_direction_and_the_wrong_way_is_against_it(kind, seed):
    scene, rng = scene_of(kind), np.random.default_rng(seed)
    for lane in scene.lanes_for("one_way", "drive"):
        assert _direction(crowd(scene, lane, rng)[0]) == lane.direction
    party, lane = anomaly("wrong_way", scene, rng)
    assert _direction(party[0]) == -lane.direction


def _direction(actor):
    return np.sign(actor.legs[-1].end_m[0] - actor.legs[0].start_m[0])


@settings(deadline=None)
@given(seed=SEEDS)
def test_a_loiterer_counts_only_after_lingering(seed):
    (actor,), _ = anomaly("loitering", scene_of("precinct"), np.random.default_rng(seed))
    arrived_s = next(leg.start_s for leg in actor.legs if leg.action == "loitering")
    assert actor.anomalous_s - arrived_s == pytest.approx(LINGER_S)


@settings(deadline=None)
@given(seed=SEEDS)
def test_a_bag_lies_exactly_while_nobody_carries_it(seed):
    (owner, bag), _ = anomaly("dropped_object", scene_of("precinct"), np.random.default_rng(seed))
    for time_s in np.linspace(owner.start_s, owner.end_s, 50, endpoint=False):
        assert owner.at(time_s).carrying != (bag.start_s <= time_s < bag.end_s)


def test_running_is_faster_than_any_walking():
    assert RUNNING_MPS[0] > 2 * WALKING_MPS[1]


@settings(deadline=None)
@given(seed=SEEDS, by_s=st.floats(-100, 1e5), share=st.floats(0, 0.99))
def test_a_later_life_is_the_same_life(seed, by_s, share):
    (actor,), _ = anomaly("running", scene_of("shop"), np.random.default_rng(seed))
    time_s = actor.start_s + share * (actor.end_s - actor.start_s)
    now, then = actor.at(time_s), actor.later(by_s).at(time_s + by_s)
    assert (now.x_m, now.z_m) == pytest.approx((then.x_m, then.z_m), abs=1e-6)
