import cv2
import numpy as np
import pytest

from edge.domain.features import SCENE
from edge.domain.frame import Frame
from edge.features.flow import Flow
from edge.features.scene import (
    CELLS_DOWN,
    MOTION_SPEC,
    SPEED_SPEC,
    STEPS,
    SceneMotion,
    cell_means,
)

PATCH = cv2.equalizeHist(
    cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (120, 80), dtype=np.uint8), (0, 0), 2
    )
)


def view(x, *, index=0, scale=1, y=120):
    """A 320x240 scene, enlarged ``scale`` times, in which a patch stands at x; and its mask."""
    luma, mask = np.full((240, 320), 120, np.uint8), np.zeros((240, 320), np.uint8)
    luma[y : y + 60, x : x + 40] = PATCH[:60, :40]
    mask[y : y + 60, x : x + 40] = 1
    luma = np.repeat(np.repeat(luma, scale, axis=0), scale, axis=1)
    planes = np.full((luma.shape[0] * 3 // 2, luma.shape[1]), 128, np.uint8)
    planes[: luma.shape[0]] = luma
    return Frame("c", index, index / 10, 0.0, planes), mask


def walk(step, *, scale=1, frames=5):
    motion = SceneMotion()
    for index in range(frames):
        speed, rest = motion.observe(*view(100 + index * step, index=index, scale=scale))
    return speed, rest


def test_the_two_groups_describe_the_same_cells_in_finite_numbers():
    speed, rest = walk(2)
    assert len(speed) == len(rest) > 0
    assert speed.values.shape[1] == len(SPEED_SPEC)
    assert rest.values.shape[1] == len(MOTION_SPEC)
    assert (speed.boxes_xyxy == rest.boxes_xyxy).all()
    assert (speed.track_id == SCENE).all()
    assert np.isfinite(rest.values).all()


@pytest.mark.parametrize("step", [-3, 2])
def test_speed_and_direction_are_in_picture_heights_per_second(step):
    speed, rest = walk(step)
    full = rest.values[:, 3] > 0.9
    assert full.any()
    assert np.median(speed.values[full]) == pytest.approx(abs(step) * 10 / 240, rel=0.1)
    assert np.median(rest.values[full, 0]) == pytest.approx(step * 10 / 240, rel=0.1)


def test_a_rigid_object_moves_evenly():
    _, rest = walk(2)
    full = rest.values[:, 3] > 0.9
    assert np.median(rest.values[full, 2]) < 0.3 * 2 * 10 / 240


def test_cells_lie_on_what_moves_in_pixels_of_the_frame():
    speed, _ = walk(0, scale=2)
    low, high = speed.boxes_xyxy[:, :2], speed.boxes_xyxy[:, 2:]
    assert ((low < (280, 360)) & (high > (200, 240))).all()  # each touches the object ...
    assert (low.min(0) <= (200, 240)).all()  # ... and together they cover it
    assert (high.max(0) >= (280, 360)).all()
    heights = speed.boxes_xyxy[:, 3] - speed.boxes_xyxy[:, 1]
    assert heights == pytest.approx(480 / CELLS_DOWN)


def test_the_size_of_the_frame_does_not_change_the_numbers():
    small, large = walk(2)[1], walk(2, scale=2)[1]
    assert large.values == pytest.approx(small.values, abs=0.02)


def test_the_first_frame_and_a_still_scene_have_no_cells():
    motion = SceneMotion()
    frame, mask = view(100)
    assert [len(group) for group in motion.observe(frame, mask)] == [0, 0]
    later, _ = view(100, index=1)
    assert [len(group) for group in motion.observe(later, np.zeros_like(mask))] == [0, 0]


@pytest.mark.parametrize(("step", "scale"), [(2, 1), (-3, 1), (2, 2)])
def test_the_velocity_of_a_cell_is_in_cells_whatever_the_size_of_the_frame(step, scale):
    speed, rest = walk(step, scale=scale)
    full = rest.values[:, 3] > 0.9
    rows, columns = speed.cells.shape
    assert (rows, columns) == (STEPS * CELLS_DOWN - STEPS + 1, 53 - STEPS + 1)
    right, down = np.median(speed.cells.velocity[full], axis=0)
    assert right == pytest.approx(step * 10 / (320 / 53), rel=0.1)
    assert down == pytest.approx(0, abs=0.3)


def test_boxes_and_cells_are_the_same_places():
    speed, rest = walk(2)
    part_px = np.array([320 / 53, 240 / (STEPS * CELLS_DOWN)])
    corner = speed.cells.column_row * part_px
    np.testing.assert_allclose(speed.boxes_xyxy[:, :2], corner, rtol=1e-5)
    assert (speed.cells.column_row >= 0).all()
    assert (speed.cells.column_row < speed.cells.shape[::-1]).all()
    assert rest.cells is speed.cells


def test_the_means_of_a_cell_are_those_of_its_pixels():
    rng = np.random.default_rng(1)
    mask = (rng.uniform(size=(240, 320)) < 0.5).astype(np.uint8)
    velocity = rng.normal(0, 24, (240, 320, 2)).astype(np.float32)
    means = cell_means(Flow((slice(0, 240), slice(0, 320)), velocity), mask)
    whole = np.where(mask[..., None] != 0, velocity / 240, 0)
    assert means[..., 0].mean() == pytest.approx(mask.mean(), abs=0.01)
    assert means[..., 1].mean() == pytest.approx(whole[..., 0].mean(), abs=2e-3)
    assert means[..., 3].mean() == pytest.approx((whole**2).sum(-1).mean(), rel=0.02)
