"""Pictures of footage: never too many, evenly spread, and clear words about what is no footage."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, DatasetError
from export.footage import WIDEST_PX, pictures

DARKEST, STEP = 40, 4  # brightness of a video's frames: more apart than compression moves them


def write_video(path: Path, frames: int, size=(32, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for number in range(frames):
        writer.write(np.full((size[1], size[0], 3), DARKEST + number * STEP, np.uint8))
    writer.release()
    return path


def write_image(path: Path, grey: int, size=(32, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((size[1], size[0], 3), grey, np.uint8))
    return path


def numbers_of(found) -> list[int]:
    """Which frames they are; full-range video arrives a little harder in contrast."""
    return [round((grey / 255 * 219 + 16 - DARKEST) / STEP) for grey in greys(found)]


def greys(found) -> list[int]:
    return [round(float(picture.mean())) for picture in found]


@settings(max_examples=15)
@given(frames=st.integers(1, 45), most=st.integers(1, 60))
def test_a_video_gives_evenly_spread_pictures(tmp_path_factory, frames, most):
    video = write_video(tmp_path_factory.mktemp("clip") / "clip.avi", frames)
    found = pictures(video, most=most)
    numbers = numbers_of(found)
    assert min(frames, most) / 2 <= len(found) <= most
    assert len(set(np.diff(numbers))) <= 1
    assert numbers == sorted(set(numbers))


def test_a_picture_is_bgr_as_it_was_drawn(tmp_path):
    blue = np.zeros((24, 32, 3), np.uint8)
    blue[..., 0] = 200
    cv2.imwrite(str(tmp_path / "blue.png"), blue)
    (picture,) = pictures(tmp_path, most=5)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, blue)


def test_a_nested_folder_of_both_counts_every_file_alike(tmp_path):
    write_video(tmp_path / "b" / "deep" / "clip.avi", 40)
    for number in (2, 10):
        write_image(tmp_path / "a" / f"{number}.png", number * 10)
    write_image(tmp_path / "c.jpg", 240)
    (tmp_path / "a" / "notes.txt").write_text("no footage")
    (tmp_path / "a" / "._2.png").write_bytes(b"what a file manager leaves behind")
    found = greys(pictures(tmp_path, most=40))
    assert found[:1] == [240]
    assert found[1:3] == [20, 100]
    assert 5 <= len(found[3:]) <= 10


def test_more_images_than_wanted_are_thinned_out(tmp_path):
    for number in range(12):
        write_image(tmp_path / f"{number}.png", number * 10)
    found = greys(pictures(tmp_path, most=4))
    assert len(found) == 4
    assert set(np.diff(found)) == {30}


def test_large_pictures_are_scaled_down(tmp_path):
    write_image(tmp_path / "large.png", 90, size=(2 * WIDEST_PX, 64))
    (picture,) = pictures(tmp_path, most=1)
    assert picture.shape == (32, WIDEST_PX, 3)


def test_a_missing_path_is_a_mistake_on_the_command_line(tmp_path):
    with pytest.raises(ConfigError, match="nowhere: no such video"):
        pictures(tmp_path / "nowhere", most=3)


def test_an_empty_folder_is_no_footage(tmp_path):
    (tmp_path / "notes.txt").write_text("no footage")
    with pytest.raises(DatasetError, match="holds no video and no image"):
        pictures(tmp_path, most=3)


@pytest.mark.parametrize("name", ["broken.avi", "broken.png"])
@pytest.mark.parametrize("content", [b"", b"no footage at all" * 50])
def test_an_unreadable_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=name):
        pictures(tmp_path, most=3)
