import logging
import os
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

from edge import watch as watch_module
from edge.analysis import SPECS, STORED_SPECS, LearningPlan, Pupil
from edge.errors import NotLearntError, StorageError
from edge.scoring.model import ScoringOptions
from edge.scoring.store import load_camera_model, save_camera_model
from edge.watch import Watch
from tests.fakes.percepts import percept
from tests.fakes.students import learnt
from tests.fakes.words import fake_words

PERIOD_S = 20.0
PLAN = LearningPlan(period_s=PERIOD_S, alarms_per_day=2.0, options=ScoringOptions(size=50))
FRAMES = int(PERIOD_S * 5) + 2  # of a learning period, at 5 Hz


class Desk:
    """Lessons that are evaluated when the test says so."""

    def __init__(self):
        self.waiting = []

    def submit(self, lesson):
        future = Future()
        self.waiting.append((lesson, future))
        return future

    def teach(self):
        for lesson, future in self.waiting:
            try:
                future.set_result(lesson())
            except NotLearntError as error:
                future.set_exception(error)
        self.waiting = []


@pytest.fixture(scope="module")
def model():
    pupil = Pupil("door", PLAN)
    for index in range(FRAMES):
        pupil.watch(percept(index))
    return pupil.graduate()


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def make(desk, tmp_path):
    def make_watch(model=None, **changes):
        options = dict(plan=PLAN, labels=("person",), model_path=tmp_path / "door.safetensors")
        return Watch("door", model, submit=desk.submit, **(options | changes))

    return make_watch


def show(watch, frames, start=0):
    return [watch.observe(percept(index)) for index in range(start, start + frames)]


def test_a_learning_camera_gives_no_score_and_says_how_far_it_is(make):
    watch = make()
    assert watch.learnt_share == 0
    assert not any(show(watch, FRAMES // 2))
    assert watch.learnt_share == pytest.approx(0.5, abs=0.05)
    assert watch.model is None


def test_frames_are_not_held_up_by_a_lesson_and_scored_after_it(make, desk, tmp_path):
    watch = make()
    show(watch, FRAMES)
    assert len(desk.waiting) == 1
    assert not any(show(watch, 3, FRAMES))  # the lesson takes its time
    desk.teach()
    assert watch.observe(percept(FRAMES + 3)) is None  # the frame that finds the lesson done
    assert watch.observe(percept(FRAMES + 4)).camera == "door"
    assert watch.learnt_share is None
    assert load_camera_model(tmp_path / "door.safetensors", SPECS).camera == "door"


def test_a_learning_camera_announces_that_a_restart_begins_anew(make, caplog):
    with caplog.at_level(logging.INFO):
        make()
    assert "next 20 s" in caplog.text
    assert "a restart before that begins anew" in caplog.text


def test_too_little_to_learn_from_makes_the_period_longer(make, desk, caplog):
    watch = make()
    for index in range(FRAMES):
        watch.observe(percept(index, people=0))
    desk.teach()
    show(watch, 1, FRAMES)
    assert watch.model is None
    assert "goes on learning" in caplog.text
    assert watch.learnt_share == pytest.approx(0.5, abs=0.05)


def test_a_fault_in_a_lesson_is_logged_with_its_origin_and_not_repeated_at_once(make, desk, caplog):
    watch = make()
    show(watch, FRAMES)
    desk.waiting.pop()[1].set_exception(ZeroDivisionError("boom"))
    show(watch, 5, FRAMES)
    assert "ZeroDivisionError: boom" in caplog.text
    assert desk.waiting == []


class Shelf:
    """Notes what it is given to keep."""

    def __init__(self):
        self.kept = []

    def append(self, camera, groups, *, labels, time_s, width, height, score):
        specs = tuple(group.spec for group in groups)
        self.kept.append((camera, specs, labels, time_s, score))


def test_the_features_of_every_frame_are_kept_while_it_learns_and_while_it_judges(make, model):
    shelf = Shelf()
    show(make(keeper=shelf), 20)
    watch = make(model, keeper=shelf)
    scores = [watch.observe(percept(index)).score for index in range(20, 40)]
    assert [each[:3] for each in shelf.kept] == [("door", STORED_SPECS, ("person",))] * 40
    assert [time_s for *_, time_s, _ in shelf.kept] == [1000 + k / 5 for k in range(40)]
    assert [score for *_, score in shelf.kept] == [None] * 20 + scores


@pytest.fixture
def disk(monkeypatch):
    """A disk that is full until the test clears it."""
    full = [True]
    write = watch_module.save_camera_model

    def refuse(path, model):
        if full:
            raise StorageError(f"cannot write {path}: No space left on device")
        write(path, model)

    monkeypatch.setattr(watch_module, "save_camera_model", refuse)
    return full


@pytest.fixture
def unsaved(make, desk, disk):
    """A camera that has learnt while the disk was full."""
    watch = make()
    show(watch, FRAMES)
    desk.teach()
    show(watch, 1, FRAMES)
    return watch


def test_a_full_disk_does_not_stop_the_scores(unsaved):
    assert "No space left" in unsaved.problem
    assert unsaved.observe(percept(FRAMES + 1)) is not None


def test_what_a_full_disk_refused_is_kept_at_the_end(unsaved, disk, tmp_path):
    disk.clear()
    unsaved.save()
    assert load_camera_model(tmp_path / "door.safetensors", SPECS).camera == "door"
    assert unsaved.problem == ""


def test_what_a_full_disk_refused_is_tried_again_each_minute_until_it_is_kept(
    unsaved, disk, tmp_path
):
    path = tmp_path / "door.safetensors"
    disk.clear()
    show(unsaved, 5 * 59, FRAMES + 1)
    assert not path.exists()
    show(unsaved, 5 * 2, FRAMES + 1 + 5 * 59)
    before = path.stat().st_mtime_ns
    show(unsaved, 5 * 61, FRAMES + 1 + 5 * 61)
    unsaved.save()
    assert path.stat().st_mtime_ns == before


def test_a_lesson_that_no_further_frame_takes_in_is_kept_at_the_end(make, desk, tmp_path):
    watch = make()
    show(watch, FRAMES)
    assert watch.in_lesson
    watch.save()  # a lesson that still runs is not waited for
    assert watch.model is None
    desk.teach()
    assert not watch.in_lesson
    watch.save()
    assert load_camera_model(tmp_path / "door.safetensors", SPECS).camera == "door"
    assert watch.model is not None


@pytest.mark.parametrize("learnt_from_s", [60.0, 7200.0])
def test_only_what_has_learnt_for_an_hour_adapts(make, model, learnt_from_s):
    judged = replace(model, learnt_from_s=learnt_from_s)
    watch = make(judged, adapt=True)
    assert watch._adapts(judged) is (learnt_from_s >= 3600)
    assert make(judged)._adapts(judged) is False


def test_a_camera_that_does_not_adapt_never_writes(make, model, tmp_path):
    watch = make(model)
    show(watch, 5)
    watch.save()
    assert list(tmp_path.iterdir()) == []


def test_what_was_added_is_kept_at_the_end(make, model, tmp_path):
    path = tmp_path / "door.safetensors"
    save_camera_model(path, model)
    before = path.stat().st_mtime_ns
    watch = make(replace(model, learnt_from_s=7200.0), adapt=True)
    show(watch, 5)
    watch.save()
    assert path.stat().st_mtime_ns != before
    assert load_camera_model(path, SPECS).learnt_from_s == 7200.0


def test_a_model_that_fit_wrote_meanwhile_is_not_overwritten(make, model, tmp_path):
    path = tmp_path / "door.safetensors"
    save_camera_model(path, model)
    watch = make(replace(model, learnt_from_s=7200.0), adapt=True)
    show(watch, 5)
    save_camera_model(path, replace(model, created_s=1.0))
    os.utime(path, ns=(1, 1))
    watch.save()
    assert load_camera_model(path, SPECS).created_s == 1.0
    assert "restart to go by it" in watch.problem


@pytest.fixture(scope="module")
def theirs():
    """What a generation gives."""
    return learnt("density", frames=300, created_s=2e9)


class TestFollowing:
    """A generation gives the camera another model while it watches."""

    @pytest.fixture
    def own(self, model):
        return replace(model, created_s=1e9)

    @pytest.mark.parametrize("head", ["density", "clap"])
    def test_scores_flow_on_and_no_frame_is_lost(self, make, own, head):
        shelf = Shelf()
        watch = make(own, keeper=shelf)
        scores = show(watch, 30)
        watch.follow(learnt(head, created_s=2e9))
        scores += show(watch, 60, 30)
        watch.follow(None)
        scores += show(watch, 10, 90)
        assert [score.index for score in scores] == list(range(100))
        assert [time_s for *_, time_s, _ in shelf.kept] == [1000 + k / 5 for k in range(100)]
        assert watch.model is own

    def test_without_a_store_a_scene_student_is_heard_too(self, make, own):
        theirs = learnt("clap", created_s=2e9)
        watch = make(own)
        show(watch, 5)
        watch.follow(replace(theirs, terms=theirs.terms[-1:]))
        scores = show(watch, 20, 5)
        assert [bool(score.regions) for score in scores] == [False] * 15 + [True] * 5

    def test_it_judges_by_the_model_from_the_next_frame_on(self, make, own, theirs):
        watch = make(own)
        watch.follow(theirs)
        assert watch.model is own
        show(watch, 1)
        assert watch.model is theirs

    def test_what_it_learnt_later_counts_more(self, make, own, theirs):
        later = replace(own, created_s=3e9)
        watch = make(later)
        watch.follow(theirs)
        show(watch, 1)
        assert watch.model is later

    def test_a_camera_that_learns_follows_nobody(self, make, desk, theirs):
        watch = make()
        watch.follow(replace(theirs, created_s=1.0))
        show(watch, FRAMES)
        desk.teach()
        show(watch, 2, FRAMES)
        assert watch.model.student is None

    def test_only_what_is_its_own_is_saved_and_nothing_adapts_beside_a_student(
        self, make, own, theirs, tmp_path
    ):
        watch = make(replace(own, learnt_from_s=7200.0), adapt=True)
        assert not watch._adapts(replace(theirs, learnt_from_s=7200.0))
        show(watch, 5)
        watch.follow(theirs)
        show(watch, 5, 5)
        watch.save()
        saved = load_camera_model(tmp_path / "door.safetensors", SPECS)
        assert saved.created_s == own.created_s


def test_words_are_learnt_saved_and_judged_by(make, desk, tmp_path):
    words = fake_words()

    class Guide:
        def __init__(self):
            self.frames = 0

        def saw(self, levels):
            self.frames += 1

        def change(self, actions, boxes_xyxy, *, time_s, width, height):
            return np.zeros(len(actions), np.float32)

        def may_silence(self, boxes_xyxy, *, time_s, width, height):
            return np.zeros(len(boxes_xyxy), np.bool_)

    guide, sight = Guide(), words.sight()
    watch = make(plan=replace(PLAN, words=words), sight=sight, guide=guide)
    show(watch, FRAMES)
    desk.teach()
    show(watch, 11, FRAMES)
    assert watch.model.words is words
    assert guide.frames == 10  # of every frame that was judged
    assert sum(words.model.batches) == sight.looks("door").embeddings > 0
    saved = load_camera_model(tmp_path / "door.safetensors", SPECS, words=words)
    assert saved.words is words
