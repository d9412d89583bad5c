import cv2
import numpy as np
import pytest

from edge.features.flow import LEAST_SIDE_PX, LONGEST_SPAN_S, FlowMeter, moving_window

SHAPE = (180, 320)


def textured(shape, seed=0, blur_px=1.5):
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), blur_px), np.uint8)


def scene(x, y=70, shape=SHAPE):
    """A textured object on a plain ground, and where it is."""
    grey, mask = np.full(shape, 120, np.uint8), np.zeros(shape, np.uint8)
    grey[y : y + 40, x : x + 30] = cv2.equalizeHist(textured((40, 30)))
    mask[y : y + 40, x : x + 30] = 1
    return grey, mask


def run(meter, step, *, rate_hz=10, frames=6):
    flow = None
    for index in range(frames):
        grey, mask = scene(100 + index * step)
        flow = meter.observe(grey, mask, index / rate_hz)
    return flow, mask


def of_the_object(flow, mask):
    return np.median(flow.velocity[mask[flow.window] != 0], axis=0)


@pytest.mark.parametrize("step", [-2, 1, 3])
def test_the_velocity_is_in_pixels_per_second(step):
    flow, mask = run(FlowMeter(), step)
    assert of_the_object(flow, mask) == pytest.approx([step * 10, 0], abs=2)


def test_the_velocity_does_not_depend_on_the_frame_rate():
    slow, mask = run(FlowMeter(), 4, rate_hz=5)
    fast, at = run(FlowMeter(), 2, rate_hz=10)
    assert of_the_object(slow, mask) == pytest.approx(of_the_object(fast, at), abs=2)


BULGE = (20 + ((np.mgrid[-9.5:10, -9.5:10] ** 2).sum(0) / 2).clip(0, 130)).astype(np.uint8)
GROUND = np.asarray(textured(SHAPE, seed=9, blur_px=6) // 4 + 90, np.uint8)


def fast_object(patch, step, number):
    """An object of 20 px that has gone ``number`` steps across a textured ground."""
    grey, mask = GROUND.copy(), np.zeros(SHAPE, np.uint8)
    here = slice(70, 90), slice(150 + (number - 4) * step, 170 + (number - 4) * step)
    grey[here], mask[here] = patch, 1
    return grey, mask


def fast_flow(patch, step, numbers):
    meter = FlowMeter()
    for number in numbers:
        grey, mask = fast_object(patch, step, number)
        flow = meter.observe(grey, mask, number / 10)
    return of_the_object(flow, mask)


@pytest.mark.parametrize("step", [-12, 12])
def test_the_flow_of_the_last_frame_leads_to_a_small_fast_object(step):
    seeded = fast_flow(BULGE, step, range(8))
    assert seeded == pytest.approx([10 * step, 0], abs=0.2 * 120)
    alone = fast_flow(BULGE, step, (5, 7))  # 0.2 s apart and nothing between: out of reach
    assert abs(alone[0]) < 0.5 * 120


def test_nearly_every_texture_of_20_px_is_followed_at_8_px_a_frame():
    patches = [cv2.equalizeHist(textured((20, 20), seed, blur_px=5)) for seed in range(6)]
    found = [fast_flow(patch, 8, range(8)) for patch in patches]
    near = [velocity == pytest.approx([80, 0], abs=0.2 * 80) for velocity in found]
    assert sum(near) >= 5


def test_the_flow_does_not_depend_on_frames_to_come():
    meters = FlowMeter(), FlowMeter()
    until_then, _ = run(meters[0], 3, frames=4)
    longer = [meters[1].observe(*scene(100 + 3 * k), k / 10) for k in range(6)][3]
    np.testing.assert_array_equal(until_then.velocity, longer.velocity)
    assert until_then.window == longer.window


def test_a_time_that_steps_back_measures_nothing_and_recovers():
    meter = FlowMeter()
    meter.observe(*scene(100), 5.0)
    assert meter.observe(*scene(102), 4.0) is None
    flow = meter.observe(*scene(104), 4.1)
    assert flow is not None


def test_where_nothing_moves_nothing_is_measured():
    meter = FlowMeter()
    grey, mask = scene(100)
    meter.observe(grey, mask, 0.0)
    assert meter.observe(grey, np.zeros_like(mask), 0.1) is None


@pytest.mark.parametrize("later_s", [0.0, LONGEST_SPAN_S + 0.1])
def test_nothing_is_measured_across_a_pause_or_no_time_at_all(later_s):
    meter = FlowMeter()
    meter.observe(*scene(100), 0.0)
    assert meter.observe(*scene(102), later_s) is None


def test_a_change_of_size_starts_anew():
    meter = FlowMeter()
    meter.observe(*scene(100), 0.0)
    assert meter.observe(*scene(100, shape=(200, 320)), 0.1) is None
    assert meter.observe(*scene(102, shape=(200, 320)), 0.2) is not None


@pytest.mark.parametrize("corner", [(0, 0), (0, 319), (179, 0), (179, 319), (90, 160)])
def test_the_window_lies_in_the_picture_and_is_large_enough(corner):
    mask = np.zeros(SHAPE, np.uint8)
    mask[corner] = 1
    rows, columns = moving_window(mask)
    for side, size in ((rows, SHAPE[0]), (columns, SHAPE[1])):
        assert side.start >= 0
        assert side.stop <= size
        assert side.stop - side.start >= LEAST_SIDE_PX
    assert mask[rows, columns].any()


def test_a_picture_smaller_than_the_least_window_is_measured_whole():
    meter = FlowMeter()
    for index in range(3):
        mask = np.ones((48, 40), np.uint8)
        flow = meter.observe(np.roll(textured((48, 40)), index, axis=1), mask, index / 10)
    assert flow.velocity.shape == (48, 40, 2)
