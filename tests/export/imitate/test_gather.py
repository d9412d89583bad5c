from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.evaluation.synthetic import write_video
from edge.features.embedding import Look, crops
from edge.ingest.synthetic import Street, StreetOptions
from export.extract.watch import Viewing, Watch
from export.imitate.gather import SCALE, SHIFT, SHORTER_SIDE_PX, Shown, gather, shake
from tests.fakes.clips import RATE_HZ

PLAIN = Shown("objects", Viewing(RATE_HZ), most=1000, shaken=False)


@pytest.fixture
def path(clips):
    return clips / "video" / "train" / "n0.mkv"


def pictures(path, **changes):
    return gather(path, replace(PLAIN, **changes), detector=None)


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_unshaken_pictures_are_what_a_host_would_show_its_backbone(path):
    wanted = []
    for index, seen in enumerate(Watch(path, Viewing(RATE_HZ), detector=None)):
        if index % 16 in Look("objects").due:
            wanted += crops(seen.frame.bgr(), seen.percept.tracks.boxes_xyxy)
    assert wanted
    assert same(pictures(path), wanted)


def test_whole_pictures_need_no_objects(path):
    found = pictures(path, view="picture")
    assert [picture.shape for picture in found] == [(90, 160, 3)] * 15


@pytest.mark.parametrize("view", ["objects", "picture"])
def test_shaken_pictures_come_besides_and_depend_on_the_seed_alone(path, view):
    plain, shaken = pictures(path, view=view), pictures(path, view=view, shaken=True)
    assert len(shaken) == 2 * len(plain)
    assert {picture.tobytes() for picture in plain} < {picture.tobytes() for picture in shaken}
    assert same(shaken, pictures(path, view=view, shaken=True))
    assert not same(shaken, pictures(path, view=view, shaken=True, seed=1))


@pytest.mark.parametrize("most", [1, 2, 7])
def test_fewer_pictures_are_spread_over_the_video(path, most):
    every = [picture.tobytes() for picture in pictures(path)]
    found = [every.index(picture.tobytes()) for picture in pictures(path, most=most)]
    assert most / 2 <= len(found) <= most
    assert np.ptp(np.diff([-1, *found])) == 0


def test_large_pictures_are_scaled_down(tmp_path):
    options = StreetOptions(width_px=640, height_px=360, duration_s=0.4)
    write_video(tmp_path / "v.mkv", Street(options), rate_hz=RATE_HZ)
    (picture,) = gather(tmp_path / "v.mkv", replace(PLAIN, view="picture"), detector=None)
    assert picture.shape == (SHORTER_SIDE_PX, 455, 3)


some_boxes = hnp.arrays(np.float64, (7, 2), elements=st.floats(-50, 500)).map(
    lambda low: np.concatenate([low, low + np.array([20, 50])], axis=1).astype(np.float32)
)


@given(some_boxes, st.sampled_from(["objects", "picture"]), st.integers(0, 9))
def test_a_shaken_box_stays_near_its_place_and_size(boxes, view, seed):
    found = shake(boxes, view, np.random.default_rng(seed))
    sides, shaken = boxes[:, 2:] - boxes[:, :2], found[:, 2:] - found[:, :2]
    moved = np.abs((found[:, :2] + found[:, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2)
    low, high = SCALE[view]
    assert (moved <= SHIFT * sides + 1e-3).all()
    assert ((shaken >= low * sides - 1e-3) & (shaken <= high * sides + 1e-3)).all()
