import numpy as np
import pytest

from edge.domain.frame import Frame
from edge.domain.tracks import Tracks
from edge.evaluation.baselines import FastestObject, LargestDifference


def frame(luma, index=0):
    planes = np.full((luma.shape[0] * 3 // 2, luma.shape[1]), 128, np.uint8)
    planes[: luma.shape[0]] = luma
    return Frame("c", index, index / 10, 0.0, planes)


def picture(x=None, size=(160, 320)):
    luma = np.full(size, 50, np.uint8)
    if x is not None:
        luma[40:80, x : x + 20] = 200
    return luma


def tracks(*boxes):
    count = len(boxes)
    return Tracks(
        np.arange(count, dtype=np.int64),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(count, np.float32),
        np.zeros(count, np.int32),
    )


def test_a_still_picture_scores_nothing():
    baseline = LargestDifference()
    assert [baseline.observe(frame(picture(50))) for _ in range(3)] == [0, 0, 0]


def test_the_patch_that_changed_most_counts():
    baseline = LargestDifference()
    baseline.observe(frame(picture()))
    assert baseline.observe(frame(picture(100))) == pytest.approx(150)


def test_a_change_of_size_starts_anew():
    baseline = LargestDifference()
    baseline.observe(frame(picture()))
    assert baseline.observe(frame(picture(100, size=(120, 240)))) == 0


def test_the_fastest_object_is_measured_in_its_own_heights():
    baseline = FastestObject()
    baseline.observe(tracks((0, 0, 10, 20), (50, 0, 70, 100)), 1.0)
    assert baseline.observe(tracks((4, 3, 14, 23), (60, 0, 80, 100)), 1.5) == pytest.approx(0.5)


def test_an_object_seen_for_the_first_time_or_after_a_long_pause_has_no_speed():
    baseline = FastestObject()
    assert baseline.observe(tracks((0, 0, 10, 20)), 1.0) == 0
    assert baseline.observe(tracks((90, 0, 100, 20)), 9.0) == 0
    assert baseline.observe(Tracks.none(), 9.1) == 0


def test_time_that_stands_still_gives_no_speed():
    baseline = FastestObject()
    baseline.observe(tracks((0, 0, 10, 20)), 1.0)
    assert baseline.observe(tracks((90, 0, 100, 20)), 1.0) == 0
