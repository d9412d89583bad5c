import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.boxes import no_boxes
from edge.perception.gate import Gate, GateSettings, unexplained

SETTINGS = GateSettings(keep_alive_s=10, refresh_s=0.5, pause_s=0.15, dismiss_s=2)
STILL = np.zeros((90, 160), np.uint8)
WALKER = np.array([[50, 30, 60, 55]], np.float32)


def moving(*boxes):
    mask = STILL.copy()
    for x1, y1, x2, y2 in np.concatenate(boxes).astype(int):
        mask[y1:y2, x1:x2] = 1
    return mask


def gate_that_looked(mask=STILL, followed=None):
    gate = Gate(SETTINGS)
    gate.looked(mask, no_boxes() if followed is None else followed, 0.0)
    return gate


def due(gate, mask, followed, *, time_s, moves=False, unsettled=False):
    return gate.due(mask, followed, moving=moves, unsettled=unsettled, time_s=time_s)


def test_the_first_frame_is_looked_at():
    assert due(Gate(SETTINGS), STILL, no_boxes(), time_s=0.0)


@given(st.floats(0, 20))
def test_a_scene_at_rest_is_looked_at_for_the_keep_alive_only(time_s):
    assert due(gate_that_looked(), STILL, no_boxes(), time_s=time_s) == (time_s >= 10)


@given(st.floats(0, 20))
def test_a_followed_object_at_rest_asks_for_nothing_more(time_s):
    gate = gate_that_looked(moving(WALKER), WALKER)
    assert due(gate, moving(WALKER), WALKER, time_s=time_s) == (time_s >= 10)


@given(st.floats(0, 20))
def test_a_followed_object_that_moves_is_refreshed(time_s):
    gate = gate_that_looked(moving(WALKER), WALKER)
    assert due(gate, moving(WALKER), WALKER, time_s=time_s, moves=True) == (time_s >= 0.5)


def test_something_new_is_looked_at_once_it_moves():
    gate, newcomer = (
        gate_that_looked(moving(WALKER), WALKER),
        WALKER + np.array([60, 0, 60, 0], np.float32),
    )
    assert due(gate, moving(WALKER, newcomer), WALKER, time_s=0.2)


def test_what_the_network_knows_nothing_about_is_left_alone_for_a_while():
    gate = gate_that_looked(moving(WALKER))  # it looked and found nothing
    assert not due(gate, moving(WALKER + 2), no_boxes(), time_s=1.9)
    assert due(gate, moving(WALKER), no_boxes(), time_s=2.1)


def test_an_unsettled_object_is_looked_at():
    assert due(gate_that_looked(), STILL, no_boxes(), time_s=0.2, unsettled=True)


@given(st.lists(st.tuples(st.integers(-10, 150), st.integers(-10, 80)), min_size=1, max_size=5))
def test_known_boxes_explain_all_that_moves_in_them(corners):
    boxes = np.array([[x, y, x + 12, y + 25] for x, y in corners], np.float32)
    assert len(unexplained(moving(np.clip(boxes, 0, 160)), boxes)) == 0


def test_specks_explain_themselves():
    speck = np.array([[20, 20, 22, 22]], np.float32)
    assert len(unexplained(moving(speck), no_boxes())) == 0


@given(st.floats(0, 1), st.booleans(), st.booleans())
def test_after_a_look_the_network_pauses_whatever_happens(time_s, moves, unsettled):
    gate, newcomer = gate_that_looked(), moving(WALKER)
    looks = due(gate, newcomer, no_boxes(), time_s=time_s, moves=moves, unsettled=unsettled)
    assert looks == (time_s >= 0.15)
