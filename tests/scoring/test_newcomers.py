import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.segment import MAX_GAP_S
from edge.scoring.newcomers import HOLD_S, Newcomers

STEP_S = 0.25


def step(newcomers, *track_ids, time_s):
    return newcomers.step(np.array(track_ids, np.int64), time_s).tolist()


@given(st.lists(st.frozensets(st.integers(0, 3)), max_size=30))
def test_a_newcomer_is_who_first_came_into_sight_less_than_a_second_ago(frames):
    newcomers, first, latest = Newcomers(), {}, {}
    for index, here in enumerate(frames):
        time_s = index * STEP_S
        for key in here:
            if time_s - latest.get(key, -np.inf) > MAX_GAP_S:
                first[key] = time_s
            latest[key] = time_s
        wanted = [time_s - first[key] < HOLD_S for key in sorted(here)]
        assert step(newcomers, *sorted(here), time_s=time_s) == wanted


def test_who_left_is_forgotten():
    newcomers = Newcomers()
    for index in range(1000):
        step(newcomers, index, time_s=index * STEP_S)
    assert len(newcomers._seen_s) <= MAX_GAP_S / STEP_S + 1
