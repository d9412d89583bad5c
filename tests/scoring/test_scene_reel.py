"""Live and remembered, the same segments follow each other."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.segment import MAX_GAP_S, SCENE_SEGMENT_FRAMES
from edge.features import scene_segment
from edge.scoring.footage import NormalFootage
from edge.scoring.scene_reel import LONGEST_HOLD, Pace, SceneFootage, SceneReel
from tests.fakes.footage import HEIGHT, WIDTH, groups

FLOW, OBJECTS = scene_segment.SPECS


def scene_groups(index, *, full):
    return [group for group in groups(index, full=full) if group.spec in scene_segment.SPECS]


def shown(steps):
    """Frames that come ``steps`` seconds apart: (time, groups), segments slide as they do live."""
    time_s, run = 0.0, 0
    for index, step in enumerate(steps):
        time_s += step
        run = run + 1 if index and step <= MAX_GAP_S else 1
        yield time_s, scene_groups(index, full=run >= SCENE_SEGMENT_FRAMES)


footage_steps = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([0.2, 1.5])), max_size=4
).map(lambda parts: [step for count, gap in parts for step in (*([0.2] * count), gap)])


@given(footage_steps)
def test_what_is_in_force_live_is_in_force_in_remembered_footage(steps):
    reel, collected, live = SceneReel(3), NormalFootage(), []
    for time_s, seen in shown(steps):
        collected.add(seen, time_s=time_s, width=WIDTH, height=HEIGHT)
        reel.push(seen, time_s)
        live.append(None if reel.newest is None else reel.newest.values[0])
    found = SceneFootage.of(collected.tables(), collected.time_s)
    if found is None:
        assert live == [None] * len(live)
        return
    for values, held in zip(live, found.held.tolist(), strict=True):
        assert (values is None) == (held < 0)
        if values is not None:
            np.testing.assert_array_equal(values, found.segments.values[held])


@given(st.integers(1, 4), st.integers(0, 6))
def test_every_sixteenth_alone_tells_the_same_as_all_of_them(clips, extra):
    """The feature store keeps a clip's every sixteenth segment."""
    sliding, stored = NormalFootage(), NormalFootage()
    for index, (time_s, seen) in enumerate(shown([0.2] * (clips * SCENE_SEGMENT_FRAMES + extra))):
        sliding.add(seen, time_s=time_s, width=WIDTH, height=HEIGHT)
        ends = (index + 1) % SCENE_SEGMENT_FRAMES == 0
        kept = seen if ends else scene_groups(index, full=False)
        stored.add(kept, time_s=time_s, width=WIDTH, height=HEIGHT)
    one, other = (SceneFootage.of(each.tables(), each.time_s) for each in (sliding, stored))
    np.testing.assert_array_equal(one.held, other.held)
    np.testing.assert_array_equal(one.segments.values, other.segments.values)
    np.testing.assert_array_equal(one.run, other.run)


@given(footage_steps)
def test_segments_of_a_run_share_no_frame_and_have_no_hole_between(steps):
    collected = NormalFootage()
    for time_s, seen in shown(steps):
        collected.add(seen, time_s=time_s, width=WIDTH, height=HEIGHT)
    found = SceneFootage.of(collected.tables(), collected.time_s)
    if found is None:
        return
    frames = found.segments.frame
    same = np.diff(found.run) == 0
    assert (np.diff(frames)[same] == SCENE_SEGMENT_FRAMES).all()
    for start, stop in zip(frames[:-1][same], frames[1:][same], strict=True):
        assert np.diff(collected.time_s[start : stop + 1]).max() <= MAX_GAP_S


def test_a_segment_that_no_other_follows_is_over():
    pace = Pace()
    assert pace.step(0.0, has_segment=True).taken
    beats = [pace.step(0.2 * k, has_segment=False) for k in range(1, LONGEST_HOLD + 2)]
    assert [beat.broken for beat in beats] == [False] * LONGEST_HOLD + [True]


def test_a_clock_that_is_set_back_is_a_hole():
    pace = Pace()
    pace.step(10.0, has_segment=True)
    assert pace.step(9.0, has_segment=True) == (True, True)


def test_a_reel_goes_on_for_a_student_that_looks_back_further():
    reel = SceneReel(1)
    for time_s, seen in shown([0.2] * 40):
        reel.push(seen, time_s)
    longer = reel.turned(3, scene_segment.SPECS)
    np.testing.assert_array_equal(longer.values, reel.values)
    assert len(longer.values) == 1


def test_a_reel_begins_anew_for_a_student_that_reads_other_groups():
    reel = SceneReel(1)
    for time_s, seen in shown([0.2] * 40):
        reel.push(seen, time_s)
    other = reel.turned(3, (OBJECTS,))
    assert other.newest is None


def test_one_of_the_two_groups_alone_is_no_scene_segment():
    collected, reel = NormalFootage(), SceneReel()
    for time_s, seen in shown([0.2] * 40):
        only = [group for group in seen if group.spec == OBJECTS]
        collected.add(only, time_s=time_s, width=WIDTH, height=HEIGHT)
        reel.push(only, time_s)
    assert reel.newest is None
    assert SceneFootage.of(collected.tables(), collected.time_s) is None
