from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.alarm import Alarm, Limits, alarms_raised
from edge.alerts.zones import Zone
from edge.domain.alert import TransitionKind, event_id
from edge.errors import ConfigError
from tests.fakes.scores import HERE, THERE, event, frame_score, region

NEW, UPDATE, END = TransitionKind.NEW, TransitionKind.UPDATE, TransitionKind.END
LIMITS = Limits(raise_at=3.0, clear_below=2.0, raise_after_s=0.4, clear_after_s=2.0, cooldown_s=5.0)
RATE_HZ = 5


def fresh(limits=LIMITS, **fields):
    return Alarm("door", limits, "m1", **fields)


def run(alarm, frames):
    told = []
    for frame in frames:
        alarm, transitions = alarm.step(frame)
        told += transitions
    return alarm, told


def kinds(told):
    return [t.kind for t in told]


def at(start_s, seconds, *regions):
    """The same regions in every frame of a while."""
    count = round(seconds * RATE_HZ)
    return [frame_score(start_s + n / RATE_HZ, *regions) for n in range(count)]


track_ids = st.sampled_from([None, 1, 2, 3])
boxes = st.sampled_from([HERE, THERE, (110.0, 100.0, 150.0, 200.0), (0.0, 0.0, 640.0, 360.0)])
scenes = st.lists(
    st.dictionaries(track_ids, st.tuples(st.floats(0, 6), boxes), max_size=3), max_size=60
)


def frames_of(scenes):
    return [
        frame_score(100 + n * 0.4, *(region(key, *value) for key, value in regions.items()))
        for n, regions in enumerate(scenes)
    ]


@given(scenes)
def test_no_event_without_a_score_at_the_threshold(scenes):
    frames = frames_of(scenes)
    _, told = run(fresh(), frames)
    for new in (t.after for t in told if t.kind is NEW):
        assert new.top_score >= LIMITS.raise_at
        window = [f for f in frames if new.start_time_s <= f.time_s <= new.updated_time_s]
        assert window[-1].time_s - window[0].time_s >= LIMITS.raise_after_s - 1e-9


@given(scenes)
def test_every_event_is_told_as_one_new_updates_and_one_end(scenes):
    alarm, told = run(fresh(), frames_of(scenes))
    alarm, last = alarm.expire(10_000.0)
    told += last
    by_event = {}
    for transition in told:
        by_event.setdefault(transition.after.id, []).append(transition)
    for transitions in by_event.values():
        kinds_told = kinds(transitions)
        assert kinds_told[0] is NEW
        assert kinds_told[-1] is END
        assert Counter(kinds_told)[NEW] == Counter(kinds_told)[END] == 1
        times = [t.after.updated_time_s for t in transitions]
        assert times == sorted(times)
        for earlier, later in pairwise(transitions):
            assert later.before == earlier.after
    assert not alarm.active


@given(scenes)
def test_opened_is_ended_plus_open(scenes):
    alarm, told = run(fresh(), frames_of(scenes))
    assert alarm.counts.opened == alarm.counts.ended + len(alarm.incidents)
    assert alarm.counts.opened == kinds(told).count(NEW)
    assert len(alarm.incidents) <= LIMITS.max_open


@given(scenes, st.integers(0, 60))
def test_the_result_does_not_depend_on_where_the_footage_is_cut(scenes, cut):
    frames = frames_of(scenes)
    whole = run(fresh(), frames)
    first, told = run(fresh(), frames[:cut])
    second, more = run(first, frames[cut:])
    assert (second, told + more) == whole


@given(scenes)
def test_counting_is_what_the_live_alarm_does(scenes):
    frames = frames_of(scenes)
    assert alarms_raised(frames, LIMITS) == run(fresh(), frames)[0].counts.opened


@given(st.lists(st.floats(0, 6), max_size=80), st.floats(2.5, 5), st.floats(0, 1))
def test_a_higher_threshold_never_finds_more_unusual_time(scores, raise_at, more):
    frames = [frame_score(n * 0.2, region(1, s)) for n, s in enumerate(scores)]

    def any_raised(at_score):
        return alarms_raised(frames, replace(LIMITS, raise_at=at_score)) > 0

    assert any_raised(raise_at) or not any_raised(raise_at + more)


def test_a_flash_is_no_event_and_a_dip_begins_anew():
    flash = [*at(0, 0.4, region(1, 5)), *at(0.4, 0.2, region(1, 1)), *at(0.6, 0.4, region(1, 5))]
    assert run(fresh(), flash)[1] == []


def test_an_event_holds_between_the_thresholds_and_ends_once_quiet():
    frames = [
        *at(0, 1, region(1, 4)),
        *at(1, 4, region(1, 2.5)),
        *at(5, 4, region(1, 1)),
    ]
    _, told = run(fresh(), frames)
    assert kinds(told) == [NEW, END]
    end = told[-1].after
    assert end.start_time_s == 0
    assert end.end_time_s == pytest.approx(4.8)
    assert end.updated_time_s == pytest.approx(6.8)


def test_a_lost_track_ends_its_event():
    alarm, told = run(fresh(), [*at(0, 1, region(1, 4)), *at(1, 3)])
    assert kinds(told) == [NEW, END]
    assert not alarm.active


def test_fragments_of_a_track_are_one_event():
    frames = [
        f for n in range(10) for f in at(n, 1, region(n, 4, (100 + 9 * n, 100, 140 + 9 * n, 200)))
    ]
    alarm, told = run(fresh(), frames)
    assert [t.kind for t in told if t.kind is not UPDATE] == [NEW]
    assert alarm.counts.joined == 9
    assert alarm.incidents[0].event.track_ids == tuple(range(10))


def test_two_places_are_two_events_and_the_scene_joins_one():
    frames = at(0, 2, region(1, 4, HERE), region(2, 5, THERE), region(None, 6, (0, 0, 640, 360)))
    alarm, told = run(fresh(), frames)
    assert kinds(told).count(NEW) <= 2
    assert alarm.counts.opened + alarm.counts.joined == 3


def test_an_object_joins_the_scenes_event_and_gives_it_its_name():
    frames = [
        *at(0, 1, region(None, 4, (0, 0, 640, 360))),
        *at(1, 1, region(None, 4, (0, 0, 640, 360)), region(3, 3.5, HERE)),
    ]
    alarm, told = run(fresh(), frames)
    assert kinds(told)[0] is NEW
    assert told[0].after.label == "scene"
    (incident,) = alarm.incidents
    assert (incident.event.label, incident.event.box_xyxy) == ("person", HERE)
    assert incident.event.track_ids == (3,)


def test_the_cooldown_suppresses_the_same_place_and_no_other():
    first = [*at(0, 1, region(1, 4)), *at(1, 2.2)]
    alarm, told = run(fresh(), first)
    assert kinds(told) == [NEW, END]
    again, told = run(alarm, at(3.2, 1, region(2, 4, HERE)))
    assert (told, again.counts.suppressed) == ([], 1)
    elsewhere, told = run(alarm, at(3.2, 1, region(2, 4, THERE)))
    assert (kinds(told), elsewhere.counts.suppressed) == ([NEW], 0)


def test_what_outlasts_the_cooldown_is_raised_after_all():
    alarm, _ = run(fresh(), [*at(0, 1, region(1, 4)), *at(1, 2.2)])
    alarm, told = run(alarm, at(3.2, 8, region(2, 4)))
    assert kinds(told) == [NEW]
    assert alarm.counts.suppressed == 1


def test_too_many_at_one_time_are_counted_not_raised():
    crowd = [region(n, 4, (60 * n, 0, 60 * n + 10, 20)) for n in range(7)]
    alarm, told = run(fresh(), at(0, 3, *crowd))
    assert kinds(told) == [NEW] * LIMITS.max_open
    assert alarm.counts.suppressed == 7 - LIMITS.max_open


def test_updates_are_rare_unless_it_gets_worse():
    _, told = run(fresh(replace(LIMITS, update_every_s=5.0)), at(0, 12, region(1, 4)))
    assert kinds(told) == [NEW, UPDATE, UPDATE]
    worse = [*at(0, 1, region(1, 4)), *at(1, 1, region(1, 5))]
    assert kinds(run(fresh(), worse)[1]) == [NEW, UPDATE]


def test_the_reason_is_that_of_the_worst_moment():
    _, told = run(fresh(), at(0, 1, region(1, 4)))
    assert told[0].after.reason == "speed 4.1 heights/s, usual ≤ 1.6"
    assert told[0].after.threshold == LIMITS.raise_at


def test_a_camera_that_goes_away_ends_its_events_after_a_while():
    alarm, _ = run(fresh(), at(0, 1, region(1, 4)))
    same, told = alarm.expire(2.0)
    assert (told, same.active) == ([], True)
    _, told = same.expire(2.9)
    assert kinds(told) == [END]


class TestAdoption:
    def test_an_anomaly_that_lasts_goes_on_under_its_id_wherever_it_moved(self):
        old = event(100.0, updated_time_s=105.0)
        alarm = fresh().adopt([old], 110.0)
        alarm, told = run(alarm, at(110, 1, region(1, 4, THERE)))
        assert kinds(told)[:1] in ([], [UPDATE])
        assert {t.after.id for t in told} <= {old.id}
        assert [i.event.id for i in alarm.incidents] == [old.id]

    def test_an_anomaly_that_is_over_is_ended(self):
        old = event(100.0, updated_time_s=105.0)
        _, told = run(fresh().adopt([old], 110.0), at(110, 30))
        assert kinds(told) == [END]
        assert told[0].after.end_time_s == 105.0
        assert told[0].before == old

    def test_a_clock_that_was_set_back_does_not_keep_an_event_open(self):
        old = event(100.0, updated_time_s=9_000.0)
        _, told = run(fresh().adopt([old], 110.0), at(110, 40))
        assert kinds(told) == [END]


def test_zones_are_noted_in_order_of_entry():
    zones = (
        Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1))),
        Zone("right", ((0.5, 0), (1, 0), (1, 1), (0.5, 1))),
    )
    frames = [*at(0, 1, region(1, 4, THERE)), *at(1, 1, region(1, 4, HERE))]
    alarm, _ = run(fresh(zones=zones), frames)
    assert alarm.incidents[0].event.zones == ("right", "left")


def test_clear_above_raise_is_refused():
    with pytest.raises(ConfigError, match="clear_below 4 is above raise_at 3"):
        Limits(raise_at=3, clear_below=4)


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=8))
def test_ids_sort_by_time_and_are_the_same_for_the_same_footage(times_s):
    ids = [event_id(camera="c", start_time_s=t, track_id=1) for t in times_s]
    assert ids == [event_id(camera="c", start_time_s=t, track_id=1) for t in times_s]
    stamps = [name.split("-")[0] for name in ids]
    assert sorted(stamps) == [f"{t:017.6f}" for t in sorted(times_s)]


def test_events_of_two_cameras_at_one_moment_have_two_ids():
    names = {event_id(camera=c, start_time_s=5.0, track_id=t) for c in "ab" for t in (None, 1, 2)}
    assert len(names) == 6
