import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.segment import SEGMENT_FRAMES
from edge.errors import DatasetError
from edge.ingest.synthetic import StreetOptions
from export.words.tiny import film as film_room
from export.words.tiny.acts import ACTS
from export.words.tiny.film import (
    HELD_OUT_SEED,
    SIZE_PX,
    TRAINING_SEED,
    act_in,
    film,
    settings,
    shaken,
    streets,
)
from export.words.tiny.reels import reels

SHORT = StreetOptions(
    kind="road", seed=1, scene_seed=1, width_px=320, height_px=180, duration_s=4.0
)


def box(*sides):
    return np.array(sides, np.float32)


@pytest.fixture(scope="module")
def tubes():
    return film(SHORT, most=3)


def test_tubes_are_of_both_sources_and_at_most_so_many_of_each_act(tubes):
    assert tubes.crops.shape == (len(tubes), SEGMENT_FRAMES, SIZE_PX, SIZE_PX, 3)
    assert not tubes.by_motion.all()
    for moved in (False, True):
        assert np.bincount(tubes.acts[tubes.by_motion == moved]).max(initial=0) <= 3
    assert ACTS.index("walking") in tubes.acts


def test_equal_streets_give_equal_tubes(tubes):
    again = film(SHORT, most=3)
    np.testing.assert_array_equal(again.crops, tubes.crops)
    np.testing.assert_array_equal(again.acts, tubes.acts)


def test_a_street_is_filmed_once(tmp_path, monkeypatch):
    told: list[None] = []
    first = reels(tmp_path, {"a": SHORT}, told=lambda: told.append(None))
    monkeypatch.setattr("export.words.tiny.reels.film", None)
    again = reels(tmp_path, {"a": SHORT}, told=lambda: told.append(None))
    np.testing.assert_array_equal(first.crops, again.crops)
    assert len(told) == 2
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"other")
    with pytest.raises(DatasetError, match="take it away"):
        reels(tmp_path, {"a": SHORT}, told=lambda: None)


def test_other_settings_have_another_name(monkeypatch):
    before = settings(SHORT)
    monkeypatch.setattr(film_room, "STEPS", (1,))
    assert settings(SHORT) != before


def test_streets_to_learn_from_and_to_judge_by_never_meet():
    learnt, judges = streets(TRAINING_SEED, 12), streets(HELD_OUT_SEED, 12)
    assert not set(learnt) & set(judges)
    assert len({options.scene_seed for options in (learnt | judges).values()}) == 24


def test_a_blob_shows_what_it_lies_in():
    walker, car = box(0, 0, 10, 20), box(30, 0, 50, 20)
    objects, acts = np.stack([walker, car]), ("walking", "driving")
    assert act_in(walker, objects, acts) == "walking"
    assert act_in(box(2, 10, 8, 20), objects, acts) == "walking"  # its legs
    assert act_in(box(100, 0, 120, 20), objects, acts) == "nothing"
    assert act_in(box(0, 0, 50, 20), objects, acts) is None  # both of them
    assert act_in(box(0, 0, 25, 20), objects, acts) is None  # mostly ground
    assert act_in(walker, np.zeros((0, 4), np.float32), ()) == "nothing"


def test_two_who_do_the_same_are_one_blob():
    pair = np.stack([box(0, 0, 10, 20), box(8, 0, 18, 20)])
    assert act_in(box(0, 0, 18, 20), pair, ("walking", "walking")) == "walking"
    assert act_in(box(0, 0, 18, 20), pair, ("walking", "running")) is None


@given(seed=st.integers(0, 1000), side=st.floats(5, 300))
def test_shaken_boxes_stay_where_they_were(seed, side):
    boxes = np.array([[100, 50, 100 + side, 50 + 2 * side]], np.float32)
    (found,) = shaken(boxes, np.random.default_rng(seed))
    assert np.abs(found - boxes[0]).max() <= 2 * side * (0.08 + 0.06) + 1e-3
    assert (found[2:] > found[:2]).all()
