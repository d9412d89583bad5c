import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.perception.kalman import FRAME_RATE_HZ, POSITION_STD, VELOCITY_STD, Motions

WALKER = np.array([[100, 50, 120, 100]], np.float32)


def textbook(boxes, steps, elapsed_s):
    """The 8-state filter with full matrices: predict and correct for every further box."""
    seen = [np.r_[(b[:2] + b[2:]) / 2, b[2:] - b[:2]] for b in boxes.astype(float)]
    size = np.tile(seen[0][2:], 2)
    state = np.r_[seen[0], np.zeros(4)]
    spread = np.diag(np.r_[2 * POSITION_STD * size, 10 * VELOCITY_STD * size] ** 2)
    move = np.eye(8) + np.diag([elapsed_s] * 4, 4)
    look = np.eye(4, 8)
    for measured in seen[1:steps]:
        size = np.tile(np.maximum(state[2:4], 1), 2)
        noise = np.r_[POSITION_STD * size, VELOCITY_STD * size] ** 2 * elapsed_s * FRAME_RATE_HZ
        state, spread = move @ state, move @ spread @ move.T + np.diag(noise)
        size = np.tile(np.maximum(state[2:4], 1), 2)
        seen_spread = look @ spread @ look.T + np.diag((POSITION_STD * size) ** 2)
        gain = spread @ look.T @ np.linalg.inv(seen_spread)
        state = state + gain @ (measured - look @ state)
        spread = spread - gain @ seen_spread @ gain.T
    return state


@given(st.floats(0.02, 0.5), st.integers(0, 2**32 - 1))
def test_four_small_filters_are_the_large_one(elapsed_s, seed):
    walk = np.random.default_rng(seed).normal(0, 3, (6, 4)).cumsum(axis=0) * 0.5
    boxes = (WALKER + walk).astype(np.float32)
    motions = Motions.begin(boxes[:1])
    for box in boxes[1:]:
        motions = motions.predict(elapsed_s).correct(box[None])
    expected = textbook(boxes, len(boxes), elapsed_s)
    np.testing.assert_allclose(motions.moments[:2, 0].ravel(), expected, rtol=1e-6, atol=1e-6)


def test_a_steady_walk_is_foreseen_at_any_pace():
    for pace_s in (0.1, 0.5):
        motions = Motions.begin(WALKER)
        for step in range(1, 20):
            moved = WALKER + np.float32(30 * pace_s * step) * np.array([1, 0, 1, 0], np.float32)
            motions = motions.predict(pace_s).correct(moved)
        np.testing.assert_allclose(motions.moments[1, 0], [30, 0, 0, 0], atol=1)


@given(st.floats(0, 5), st.floats(0, 5))
def test_two_short_waits_end_where_a_long_one_does(first_s, second_s):
    motions = Motions.begin(WALKER).predict(0.1).correct(WALKER + 2)
    halved = motions.predict(first_s).predict(second_s).boxes_xyxy
    whole = motions.predict(first_s + second_s).boxes_xyxy
    np.testing.assert_allclose(halved, whole, rtol=1e-5)


def test_boxes_do_not_see_each_other():
    two = np.concatenate([WALKER, WALKER + 40])
    both = Motions.begin(two).predict(0.2).correct(two + 1)
    alone = Motions.begin(two[1:]).predict(0.2).correct(two[1:] + 1)
    np.testing.assert_array_equal(both.moments[:, 1:], alone.moments)
