import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.domain.boxes import no_boxes
from edge.domain.features import SCENE
from edge.domain.frame import Frame
from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.errors import ModelError
from edge.features.embedding import (
    MOST_OBJECTS,
    Look,
    SceneEmbedding,
    crops,
    embedding_spec,
)

WIDTH, HEIGHT = 64, 48
HZ = 10.0
TWO_BOXES = np.array([[4, 4, 20, 40], [30, 10, 50, 40]], np.float32)


class Means:
    """Embeds a picture, or a clip, as its mean colour and its number of pixels."""

    width = 4
    version = "means"

    def __init__(self, frames=1):
        self.frames = frames
        self.asked = []  # how many clips at a time

    def prepare(self, picture):
        mean = picture.reshape(-1, 3).mean(axis=0)
        return np.float32(np.broadcast_to(mean[:, None, None], (3, 2, 2)))

    def embed(self, prepared):
        assert prepared.shape[1:] == (self.frames, 3, 2, 2)
        self.asked.append(len(prepared))
        means = prepared.mean(axis=(1, 3, 4))
        return np.concatenate([means, means.sum(axis=1, keepdims=True)], axis=1)


def frame(index, *, time_s=None, seed=None):
    rng = np.random.default_rng(index if seed is None else seed)
    bgr = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    time_s = index / HZ if time_s is None else time_s
    return Frame.from_bgr(bgr, camera="c", index=index, time_s=time_s, received_s=0.0)


def rows(embedding, frames, boxes=TWO_BOXES):
    return [embedding.observe(each, boxes) for each in frames]


some_boxes = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 30), st.just(4)), elements=st.floats(-40, 100, width=32)
)


# all pixels differ: where a crop lies can be read from it
PLACES = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
PICTURE = np.stack([PLACES % 256, PLACES // 256, 0 * PLACES], axis=2).astype(np.uint8)


@given(some_boxes)
def test_crops_lie_inside_the_picture_and_are_not_too_many(boxes):
    found = crops(PICTURE, boxes)
    assert len(found) <= min(MOST_OBJECTS, len(boxes))
    for crop in found:
        assert crop.size
        first, last = crop[0, 0].astype(int), crop[-1, -1].astype(int)
        top, left = divmod(first[0] + 256 * first[1], WIDTH)
        bottom, right = divmod(last[0] + 256 * last[1], WIDTH)
        assert np.array_equal(crop, PICTURE[top : bottom + 1, left : right + 1])


@given(some_boxes.filter(lambda boxes: len(boxes) <= MOST_OBJECTS), st.randoms())
def test_crops_do_not_depend_on_the_order_of_the_boxes(boxes, random):
    order = list(range(len(boxes)))
    random.shuffle(order)
    shown = sorted(crop.tobytes() for crop in crops(PICTURE, boxes))
    assert shown == sorted(crop.tobytes() for crop in crops(PICTURE, boxes[order]))


def test_of_a_crowd_the_largest_are_taken_whatever_the_order():
    rng = np.random.default_rng(0)
    sides = np.arange(4, 34)  # thirty squares, all of another size
    low = rng.uniform(5, 10, (30, 2))
    boxes = np.concatenate([low, low + sides[:, None]], axis=1).astype(np.float32)
    largest = sorted(crop.tobytes() for crop in crops(PICTURE, boxes[-MOST_OBJECTS:]))
    shuffled = boxes[rng.permutation(30)]
    assert sorted(crop.tobytes() for crop in crops(PICTURE, shuffled)) == largest


def test_an_object_that_left_the_picture_takes_nobodys_place():
    outside = np.tile(np.float32([200, 200, 300, 300]), (MOST_OBJECTS, 1))
    assert len(crops(PICTURE, np.concatenate([outside, TWO_BOXES]))) == 2


def test_a_crop_has_a_margin():
    (crop,) = crops(PICTURE, np.float32([[20, 10, 40, 30]]))
    assert crop.shape == (24, 24, 3)
    assert np.array_equal(crop, PICTURE[8:32, 18:42])


@given(st.integers(1, SCENE_SEGMENT_FRAMES))
def test_looks_are_spread_over_a_segment_and_the_last_frame_is_seen(frames):
    due = sorted(Look(frames=frames).due)
    assert len(due) == frames
    assert due[-1] == SCENE_SEGMENT_FRAMES - 1
    gaps = np.diff([-1, *due])
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("frames", [0, 17, 2.0, True])
def test_a_look_that_no_segment_has_is_refused(frames):
    with pytest.raises(ModelError, match="16 frames to look at"):
        Look(frames=frames)


def test_a_view_that_does_not_exist_is_refused():
    with pytest.raises(ModelError, match="neither picture nor objects"):
        Look(view="sounds")


def test_a_network_of_clips_sees_as_many_frames_as_it_takes_of_the_whole_picture():
    assert Look.of("picture", Means(frames=8)) == Look("picture", 8)
    with pytest.raises(ModelError, match="not single objects"):
        Look.of("objects", Means(frames=8))


def test_every_segment_has_one_row_and_shares_no_frame():
    found = rows(SceneEmbedding(Means(), Look()), [frame(k) for k in range(50)])
    assert [len(each) for each in found] == ([0] * 15 + [1]) * 3 + [0] * 2
    assert found[15].track_id.tolist() == [SCENE]
    assert found[15].boxes_xyxy.tolist() == [[0, 0, WIDTH, HEIGHT]]


def test_a_picture_is_the_mean_of_its_looks():
    embedder = Means()
    frames = [frame(k) for k in range(16)]
    row = rows(SceneEmbedding(embedder, Look()), frames)[-1].values[0]
    seen = [embedder.prepare(frames[k].bgr()) for k in (3, 7, 11, 15)]
    wanted = embedder.embed(np.stack(seen)[:, None]).mean(axis=0)
    assert np.allclose(row, wanted, atol=1e-4)


def test_objects_are_told_by_mean_and_maximum_over_all_looks():
    embedder = Means()
    frames = [frame(k) for k in range(16)]
    row = rows(SceneEmbedding(embedder, Look("objects")), frames)[-1].values[0]
    shown = [crop for k in (3, 7, 11, 15) for crop in crops(frames[k].bgr(), TWO_BOXES)]
    found = embedder.embed(np.stack([embedder.prepare(crop) for crop in shown])[:, None])
    assert np.allclose(row, np.concatenate([found.mean(axis=0), found.max(axis=0)]), atol=1e-4)


def test_nobody_in_sight_is_nothing_and_asks_nobody():
    embedder = Means()
    embedding = SceneEmbedding(embedder, Look("objects"))
    found = rows(embedding, [frame(k) for k in range(16)], no_boxes())
    assert found[-1].values.tolist() == [[0] * 8]
    assert embedder.asked == []


@pytest.mark.parametrize(("view", "boxes", "times"), [("objects", 0, 0), ("objects", 2, 4)])
def test_colours_are_only_computed_where_there_is_something_to_see(view, boxes, times, monkeypatch):
    asked, convert = [], Frame.bgr
    monkeypatch.setattr(Frame, "bgr", lambda self: asked.append(self.index) or convert(self))
    rows(SceneEmbedding(Means(), Look(view)), [frame(k) for k in range(16)], TWO_BOXES[:boxes])
    assert len(asked) == times


def test_a_clip_is_embedded_once_as_a_whole():
    embedder = Means(frames=4)
    look = Look.of("picture", embedder)
    frames = [frame(k) for k in range(16)]
    row = rows(SceneEmbedding(embedder, look), frames)[-1].values[0]
    assert embedder.asked == [1]
    clip = np.stack([embedder.prepare(frames[k].bgr()) for k in (3, 7, 11, 15)])
    assert np.allclose(row, embedder.embed(clip[None])[0])


@given(st.integers(1, 15), st.sampled_from([MAX_GAP_S + 0.01, 60.0, -0.5]))
def test_a_hole_in_time_begins_a_new_segment(before, hole_s):
    embedding = SceneEmbedding(Means(), Look())
    first = [frame(k, seed=0) for k in range(before)]
    start_s = first[-1].time_s + hole_s
    then = [frame(k, seed=1, time_s=start_s + k / HZ) for k in range(16)]
    found = rows(embedding, [*first, *then])
    assert [len(each) for each in found] == [0] * (before + 15) + [1]
    alone = rows(SceneEmbedding(Means(), Look()), then)[-1]
    assert np.array_equal(found[-1].values, alone.values)


def test_another_graph_or_another_look_is_another_version():
    other = Means()
    other.version = "means again"
    specs = {
        embedding_spec(Means(), Look()).spec_version,
        embedding_spec(Means(), Look("objects")).spec_version,
        embedding_spec(Means(), Look(frames=8)).spec_version,
        embedding_spec(other, Look()).spec_version,
    }
    assert len(specs) == 4
    assert len(embedding_spec(Means(), Look("objects"))) == 8
