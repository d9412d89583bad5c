"""What an operator's words change: rows of objects and cells, tracks, and the frame."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.domain.features import Cells, Features
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.levels import HELD, Judged, guided, speaks_of
from edge.scoring.model import ScoringOptions
from edge.scoring.newcomers import HOLD_S
from edge.scoring.scorer import ADAPT_BELOW, CameraScorer
from tests.fakes.words import COLOURS, fake_words
from tests.scoring.camera import HEIGHT, WIDTH, cells, gait, observe, tracks_of, walk

WORDS = fake_words()
RED, GREEN, BLUE, YELLOW = WORDS.model.prompts.embeddings
CALM, RUNNER = (1.0, 0.1), (4.1, 0.1)
SILENT = -1e9  # decades: more than anybody is loud
INSIDE, EDGE, AWAY = (5, 3), (4, 3), (15, 7)
"""Cells of 40 px: the second object of ``gait`` stands at 190..230 x 100..200."""


class Guide:
    """Adds so many decades to whoever wears a colour."""

    def __init__(self, by_colour=(), *, waits=False):
        self.by_colour = dict(by_colour)
        self.waits = waits  # for the action of whoever is new
        self.levels = []

    def saw(self, levels):
        self.levels.append(levels)

    def change(self, actions, boxes_xyxy, *, time_s, width, height):
        assert len(actions) == len(boxes_xyxy)
        assert (width, height) == (WIDTH, HEIGHT)
        looks = (actions @ WORDS.model.prompts.embeddings.T).argmax(axis=1)
        return np.array([self.by_colour.get(look, 0.0) for look in looks], np.float32)

    def may_silence(self, boxes_xyxy, *, time_s, width, height):
        return np.full(len(boxes_xyxy), self.waits)


def acting(objects: Features, coats) -> Features:
    values = np.array(coats, np.float32).reshape(len(objects), -1)
    return replace(objects, spec=WORDS.features, values=values)


def footage(frames=600):
    """Two walkers in red, and still cells in a corner."""
    rng, collected = np.random.default_rng(0), NormalFootage()
    for k in range(frames):
        objects = gait(walk(rng), [2 * (k // 40), 2 * (k // 40) + 1])
        coats = RED + rng.normal(0, 0.15, (2, len(RED)))
        groups = [objects, cells(rng.normal(5, 1, 3)), acting(objects, coats)]
        collected.add(groups, time_s=k / 5, width=WIDTH, height=HEIGHT)
    return collected


@pytest.fixture(scope="module")
def model():
    return learn_camera(
        footage(),
        camera="gate",
        alarms_per_day=2,
        created_s=0.0,
        options=ScoringOptions(size=200),
        words=WORDS,
    )


def watch(model, guide, *, rows=(CALM, RUNNER), coats=(RED, BLUE), energy=(), where=(), ids=None):
    scorer = CameraScorer(model, labels=["person"], guide=guide)
    objects = gait(rows, ids)
    for index in range(12):
        groups = objects, cells(energy, where), acting(objects, coats)
        frame = observe(scorer, *groups, index=index)
    return frame


def test_a_guide_with_nothing_to_say_changes_nothing(model):
    seen = dict(energy=(5, 60), where=(INSIDE, AWAY))
    assert watch(model, Guide(), **seen) == watch(model, None, **seen)


def test_a_normal_sentence_silences_the_object_in_every_term(model):
    """A cyclist is also fast, and the cells of the picture around it are loud."""
    seen = dict(energy=(60, 60), where=(INSIDE, EDGE))
    assert watch(model, None, **seen).score > model.threshold
    quiet = watch(model, Guide({2: SILENT}), **seen)
    calm = watch(model, None, rows=(CALM,), coats=(RED,))
    assert quiet.score == pytest.approx(calm.score, abs=0.3)
    assert quiet.score < model.threshold
    assert 2 not in {region.track_id for region in quiet.regions}


def test_others_alarm_as_before_beside_one_that_is_silenced(model):
    seen = dict(rows=(RUNNER, RUNNER), coats=(GREEN, BLUE))
    both, one = watch(model, None, **seen), watch(model, Guide({2: SILENT}), **seen)
    (first,) = [region for region in both.regions if region.track_id == 1]
    assert one.score == pytest.approx(first.score)
    assert one.regions[0].track_id == 1


def test_a_loud_cell_where_nobody_guided_is_still_counts(model):
    frame = watch(model, Guide({2: SILENT}), energy=(60,), where=(AWAY,))
    assert frame.regions[0].label == "scene"
    assert frame.score > watch(model, Guide({2: SILENT})).score


def beside(model, guide, *, rows, energy):
    """The second object, and one whose box reaches into the same cell."""
    objects = gait(rows)
    near = replace(objects, boxes_xyxy=objects.boxes_xyxy + np.float32([[0, 0, 40, 0], [0] * 4]))
    scorer = CameraScorer(model, labels=[], guide=guide)
    for index in range(12):
        groups = near, cells(energy, (EDGE,)), acting(near, (RED, BLUE))
        frame = observe(scorer, *groups, index=index)
    return frame


def test_who_stands_beside_a_normal_object_does_not_alarm_for_it(model):
    """The cell that shows a part of both is loud with the motion of one."""
    seen = dict(rows=(CALM, RUNNER), energy=(60,))
    assert beside(model, None, **seen).score > model.threshold
    assert beside(model, Guide({2: SILENT}), **seen).score < model.threshold


def test_who_runs_beside_a_normal_object_alarms_by_himself(model):
    """Red runs, blue is called normal; no cell is needed to see that."""
    silenced = Guide({2: SILENT})
    frame = beside(model, silenced, rows=(RUNNER, RUNNER), energy=(60,))
    assert frame.regions[0].track_id == 1
    assert frame.score == beside(model, silenced, rows=(RUNNER, CALM), energy=(0,)).score


def test_an_anomalous_sentence_raises_who_is_calm(model):
    seen = dict(rows=(CALM, CALM), coats=(RED, GREEN))
    raised = watch(model, Guide({1: 6.0}), **seen)
    assert raised.score > model.threshold
    assert raised.score > watch(model, None, **seen).score
    assert raised.regions[0].track_id == 2


def test_the_guide_sees_the_loudest_term_of_each_track_before_any_change(model):
    plain, silencing = Guide(), Guide({2: SILENT})
    for guide in (plain, silencing):
        watch(model, guide)
    for one, other in zip(plain.levels, silencing.levels, strict=True):
        np.testing.assert_array_equal(one, other)
    assert plain.levels[-1].shape == (2,)
    assert plain.levels[-1][1] > plain.levels[-1][0]


def arriving(model, guide, *, known_from, measured=True, rows=(CALM, RUNNER), frames=12):
    """Scores of frames at 5 Hz; the second object comes in the third, its action is known later."""
    scorer = CameraScorer(model, labels=["person"], guide=guide)
    scores = []
    for index in range(frames):
        count = 1 if index < 3 else 2
        objects = gait(rows[:count])
        known = 2 if index >= known_from else 1
        actions = acting(gait(rows[:known]), (RED, BLUE)[:known])
        groups = objects, cells((60,) * (count - 1), (INSIDE,)), *([actions] * measured)
        scores.append(observe(scorer, *groups, index=index, tracks=tracks_of(objects)).score)
    return np.array(scores)


def test_whom_a_sentence_may_call_normal_does_not_alarm_before_its_action_is_known(model):
    guide = Guide({2: SILENT}, waits=True)
    assert arriving(model, None, known_from=5)[3:5].max() > model.threshold
    assert arriving(model, guide, known_from=5).max() < model.threshold


def test_who_is_found_to_be_something_else_alarms_as_soon_as_that_is_known(model):
    plain = arriving(model, None, known_from=5)
    waiting = arriving(model, Guide(waits=True), known_from=5)
    assert waiting[3:5].max() < model.threshold
    np.testing.assert_array_equal(waiting[5:], plain[5:])


def test_who_is_never_looked_at_alarms_after_a_second(model):
    plain = arriving(model, None, known_from=99)
    waiting = arriving(model, Guide(waits=True), known_from=99)
    due = 3 + int(HOLD_S * 5)
    assert waiting[3:due].max() < model.threshold < waiting[due]
    np.testing.assert_array_equal(waiting[due:], plain[due:])


@pytest.mark.parametrize(("waits", "measured"), [(False, True), (True, False)])
def test_nobody_waits_without_a_normal_sentence_or_without_actions(model, waits, measured):
    seen = dict(known_from=5, measured=measured)
    found = arriving(model, Guide(waits=waits), **seen)
    np.testing.assert_array_equal(found, arriving(model, None, **seen))


def test_who_is_called_normal_teaches_nothing(model):
    scorer = CameraScorer(model, labels=[], adapt=True, guide=Guide({2: SILENT}))
    kept = [term.normality.state() for term in model.terms]
    before = [{k: v.copy() for k, v in state.items()} for state in kept]
    for index in range(40):
        objects = gait((RUNNER,))
        frame = observe(scorer, objects, acting(objects, (BLUE,)), index=index)
    assert frame.score < ADAPT_BELOW * model.threshold
    for then, term in zip(before, model.terms, strict=True):
        for name, array in term.normality.state().items():
            np.testing.assert_array_equal(array, then[name])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(st.floats(-9, 9, width=32), min_size=4, max_size=4),
    st.lists(st.sampled_from(range(len(COLOURS))), min_size=3, max_size=3),
    st.lists(st.floats(0, 8, width=32), min_size=3, max_size=3),
    st.lists(st.floats(0, 60, width=32), min_size=3, max_size=3),
)
def test_what_is_blamed_has_the_score_of_the_frame(model, change, coats, speeds, energy):
    scorer = CameraScorer(model, labels=[], guide=Guide(enumerate(change)))
    objects = gait([(speed, 0.1) for speed in speeds])
    worn = WORDS.model.prompts.embeddings[coats]
    groups = objects, cells(energy, (INSIDE, EDGE, AWAY)), acting(objects, worn)
    frame = observe(scorer, *groups, index=0)
    scores = [region.score for region in frame.regions]
    assert scores[0] == frame.score
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0


def whole_picture(objects):
    """What is said of all that is in sight, at five decades."""
    tracks = tracks_of(objects)
    whole = replace(
        cells((60,)),
        boxes_xyxy=np.array([[0, 0, WIDTH, HEIGHT]], np.float32),
        cells=Cells(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.float32), (1, 1)),
    )
    concerned, level = speaks_of(whole, tracks), np.float32([5.0])
    return Judged(
        0, None, whole, level, level, level, level, concerned, level[:, None] * concerned
    ), tracks


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ((0, -3), 2),  # it cannot be told apart from the normal object
        ((0, -9), 0),
        ((4, 0), 9),
        ((4, -3), 2),
        ((0, HELD), 5),  # who has just come has hardly been in it
        ((HELD, HELD), 0),
    ],
)
def test_what_is_said_of_the_whole_picture_moves_with_whom_words_are_about(change, left):
    part, tracks = whole_picture(gait((CALM, RUNNER)))
    assert guided(part, tracks, np.float32(change)).level == pytest.approx(left)
