from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError, DatasetError
from edge.evaluation.synthetic import write_video
from edge.ingest.synthetic import Street, StreetOptions
from edge.model.backbone import BackboneSpec
from export.backbones.clips import (
    choose,
    choose_ranges,
    fitted,
    footage_clips,
    object_clips,
    street_clips,
)

SPEC = BackboneSpec("any", 3, (24, 32), (0, 0, 0), (1, 1, 1), frames=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(20):
        picture = np.full((20, 30, 3), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    return tmp_path


def shade(picture: np.ndarray) -> int:
    return int(picture[0, 0, 0])


def test_streets_move_within_a_clip_and_differ_between_clips():
    clips = street_clips(4, 2, seed=1)
    assert [len(clip) for clip in clips] == [2] * 4
    assert (clips[0][0] != clips[0][1]).any()  # a moment later
    assert len({clip[0].tobytes() for clip in clips}) == 4
    again = street_clips(4, 2, seed=1)
    np.testing.assert_array_equal(np.stack(again[3]), np.stack(clips[3]))


def test_clips_of_footage_are_successive_and_never_overlap(folder: Path):
    clips = footage_clips(folder, 3, 4)
    shades = [shade(picture) for clip in clips for picture in clip]
    assert [len(clip) for clip in clips] == [4] * len(clips)
    assert shades == sorted(set(shades))


def test_too_little_footage_is_told(folder: Path):
    with pytest.raises(DatasetError, match="20 pictures; this network takes 32"):
        footage_clips(folder, 1, 32)
    with pytest.raises(DatasetError, match="name more of it"):
        choose(1, golden=None, calibration=folder / "0.png", int8=True)
    with pytest.raises(ConfigError, match="nowhere"):
        choose(1, golden=folder / "nowhere", calibration=None, int8=False)


@pytest.mark.parametrize("frames", [1, 4])
def test_a_network_is_not_judged_by_what_its_ranges_come_from(frames: int, folder: Path):
    chosen = choose(frames, golden=None, calibration=folder, int8=True)
    judged = {shade(picture) for clip in chosen.golden for picture in clip}
    measured = {shade(picture) for clip in chosen.ranges for picture in clip}
    assert judged
    assert measured
    assert not judged & measured


def test_footage_that_is_named_is_taken(folder: Path):
    chosen = choose(1, golden=folder / "7.png", calibration=folder, int8=True)
    assert [shade(picture) for clip in chosen.golden for picture in clip] == [70]
    assert len(chosen.ranges) == 20
    assert not choose(1, golden=folder / "7.png", calibration=None, int8=False).ranges


def test_clips_are_fitted_to_the_network(folder: Path):
    shapes = fitted(SPEC, footage_clips(folder, 2, 4)).shape
    assert shapes == (2, 4, 24, 32, 3)


def test_objects_are_cut_out_of_footage_in_which_something_moves(tmp_path: Path):
    street = StreetOptions(width_px=160, height_px=96, fps=5.0, duration_s=12.0)
    write_video(tmp_path / "street.mkv", Street(street), rate_hz=5.0)
    crops = object_clips(tmp_path, 6)
    assert 0 < len(crops) <= 6
    assert {len(clip) for clip in crops} == {1}
    assert all(clip[0].shape[0] < 96 and clip[0].shape[1] < 160 for clip in crops)
    with pytest.raises(ConfigError, match="whole picture"):
        choose_ranges(4, tmp_path, "objects")
