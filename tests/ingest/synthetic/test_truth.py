from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.synthetic import ANOMALIES, KINDS, Planted, Street, StreetOptions
from edge.ingest.synthetic.draw import sprite
from edge.ingest.synthetic.shapes import paint
from edge.ingest.synthetic.truth import VISIBLE_SHARE, clipped
from edge.ingest.synthetic.world import Schedule, World

NORMAL_ACTIONS = {
    "precinct": {"walking", "standing"},
    "road": {"walking", "standing", "driving", "cycling"},
    "shop": {"walking", "browsing"},
}
ANOMALOUS_ACTION = {"vehicle": {"driving"}, "dropped_object": {"dropping", "left"}}
ANOMALIES_WHERE = [(kind, name) for kind in KINDS for name in ANOMALIES[kind]]


def sprites(street: Street, schedule: Schedule, time_s: float):
    world = World(street.scene, schedule, street.options.seed)
    return [sprite(street.scene, actor, time_s) for actor in world.at(time_s)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_holds_all_drawn_pixels_of_its_object_and_fits_them(kind):
    street = Street(StreetOptions(kind=kind, seed=2))
    schedule = Schedule(planted=tuple(Planted(name, 1.0) for name in ANOMALIES[kind]))
    before = np.full_like(street.painter.backdrop, (255, 0, 255))  # nobody wears that
    species = set()
    for each in (each for time_s in (1.8, 2.4, 3.0) for each in sprites(street, schedule, time_s)):
        x1, y1, x2, y2 = each.box_xyxy
        if x1 < 3 or y1 < 3 or x2 > 637 or y2 > 357:
            continue  # at the edge of the picture
        drawn = before.copy()
        paint(drawn, each.shapes)
        changed = np.abs(drawn.astype(int) - before).max(axis=2)
        touched = _extent(changed > 4)  # a soft edge fades over a pixel or two
        assert (touched[:2] >= np.array([x1, y1]) - 1.5).all()
        assert (touched[2:] <= np.array([x2, y2]) + 1.5).all()
        np.testing.assert_allclose(_extent(changed > 40), each.box_xyxy, atol=1.5)
        species.add(each.actor.species)
    assert species >= {"person", "bicycle", "bag"}


def _extent(mask):
    ys, xs = np.nonzero(mask)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_box_is_the_backdrop_shows(kind):
    street = Street(StreetOptions(kind=kind, seed=4))
    picture = street.painter.backdrop.copy()
    shown = sprites(street, Schedule(), 3.0)
    street.painter.place(picture, shown)
    inside = np.zeros(picture.shape[:2], bool)
    for each in shown:
        x1, y1, x2, y2 = np.maximum(each.box_xyxy, 0)
        x, y = max(int(x1) - 2, 0), max(int(y1) - 2, 0)
        inside[y : int(y2) + 3, x : int(x2) + 3] = True
    changed = (picture != street.painter.backdrop).any(axis=2)
    assert changed.sum() > 2000
    assert not (changed & ~inside).any()


@given(
    st.tuples(st.floats(-300, 900), st.floats(-300, 500)),
    st.tuples(st.floats(1, 200), st.floats(1, 200)),
)
def test_a_box_lies_in_the_picture_and_shows_the_share_it_must(corner, size):
    box = np.array([*corner, corner[0] + size[0], corner[1] + size[1]])
    inside = clipped(box, 640, 360)
    share = _area(np.clip(box, 0, (640, 360, 640, 360))) / _area(box)
    assert (inside is None) == (share < VISIBLE_SHARE)
    if inside is not None:
        assert 0 <= inside[0] < inside[2] <= 640
        assert 0 <= inside[1] < inside[3] <= 360


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_street_without_anomalies_does_only_what_is_normal_in_its_kind(kind):
    street = Street(StreetOptions(kind=kind, seed=8, fps=0.5, duration_s=240))
    truths = list(street.truths())
    assert not any(truth.anomalous for truth in truths)
    actions = {each.action for truth in truths for each in truth.objects}
    assert actions == NORMAL_ACTIONS[kind]
    assert np.mean([len(truth.objects) for truth in truths]) > 3


@pytest.mark.parametrize(("kind", "name"), ANOMALIES_WHERE)
def test_a_planted_anomaly_begins_when_it_was_planted_and_ends(kind, name):
    options = StreetOptions(kind=kind, seed=6, fps=1, duration_s=65, planted=(Planted(name, 10.0),))
    truths = list(Street(options).truths())
    marked = [truth.time_s for truth in truths if truth.anomalous]
    assert 10.0 <= marked[0] <= 12.0  # those who have to enter first need a moment
    assert 1.0 <= marked[-1] - marked[0] < 54
    guilty = [each for truth in truths for each in truth.objects if each.anomalous]
    assert {each.action for each in guilty} == ANOMALOUS_ACTION.get(name, {name})
    assert len({each.object_id for each in guilty}) == (2 if name == "dropped_object" else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_anomalies_keep_out_of_the_lead_in_and_all_of_them_come(kind):
    options = StreetOptions(
        kind=kind, fps=1, duration_s=240, anomalies=ANOMALIES[kind], anomalies_per_minute=6,
        normal_s=20,
    )  # fmt: skip
    truths = list(Street(options).truths())
    plain = list(Street(StreetOptions(kind=kind, fps=1, duration_s=20)).truths())
    assert [_boxes(truth) for truth in truths[:20]] == [_boxes(truth) for truth in plain]
    found = {(each.species, each.action) for t in truths for each in t.objects if each.anomalous}
    expected = {
        "running": ("person", "running"),
        "cycling": ("bicycle", "cycling"),
        "vehicle": ("car", "driving"),
        "loitering": ("person", "loitering"),
        "wrong_way": ("car" if kind == "road" else "person", "wrong_way"),
        "dropped_object": ("bag", "left"),
    }
    assert {expected[name] for name in ANOMALIES[kind]} <= found


def _boxes(truth):
    return {each.box_xyxy for each in truth.objects}


def test_a_frame_is_anomalous_where_an_object_is():
    options = StreetOptions(fps=5, duration_s=30, anomalies=("running",), anomalies_per_minute=10)
    truths = list(Street(options).truths())
    assert {truth.anomalous for truth in truths} == {True, False}
    assert all(
        truth.anomalous == any(each.action == "running" for each in truth.objects)
        for truth in truths
    )


def test_speeds_in_body_heights_are_those_of_people():
    options = StreetOptions(
        seed=3, duration_s=60, fps=10, anomalies=("running", "cycling"), anomalies_per_minute=12
    )
    speeds = _speeds_in_heights(Street(options))
    assert 0.5 < np.median(speeds["walking"]) < 1.0
    assert 2.0 < np.median(speeds["running"]) < 3.5
    assert np.percentile(speeds["walking"], 95) < np.percentile(speeds["running"], 5)
    assert np.median(speeds["cycling"]) > np.median(speeds["running"]) * 0.8


def _speeds_in_heights(street):
    """Body heights per second by action, over steps of half a second."""
    speeds = {"walking": [], "running": [], "cycling": []}
    width, height = street.options.width_px, street.options.height_px
    for old, new in pairwise(islice(street.truths(), 0, None, 5)):
        before = {each.object_id: each for each in old.objects}
        for each in new.objects:
            x1, y1, x2, y2 = each.box_xyxy
            was = before.get(each.object_id)
            if was is None or was.action != each.action or min(x1, was.box_xyxy[0]) <= 0:
                continue
            if max(x2, was.box_xyxy[2]) >= width or y2 >= height:
                continue
            shift = x1 + x2 - was.box_xyxy[0] - was.box_xyxy[2]
            if each.action in speeds:
                speeds[each.action].append(abs(shift) / 2 / (y2 - y1) / 0.5)
    return speeds
