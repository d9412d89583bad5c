from dataclasses import replace

import numpy as np
import pytest

from edge.analysis import DESCRIPTOR_SPECS, SPECS, Extractor, Judge, LearningPlan, Pupil
from edge.domain.features import SCENE
from edge.domain.segment import SCENE_SEGMENT_FRAMES
from edge.errors import ModelError, NotLearntError
from edge.features.embedding import Look, SceneEmbedding
from edge.model.artifact import Eyes
from edge.perception.perception import Percept
from edge.scoring.model import ScoringOptions
from tests.fakes.backbones import tiny_backbone
from tests.fakes.percepts import percept
from tests.fakes.sources import HEIGHT, WIDTH, grey_planes
from tests.fakes.students import student
from tests.fakes.words import fake_words

PLAN = LearningPlan(period_s=60.0, alarms_per_day=2.0, options=ScoringOptions(size=200))


def pupil_of(frames: int) -> Pupil:
    pupil = Pupil("door", PLAN)
    for index in range(frames):
        pupil.watch(percept(index))
    return pupil


@pytest.fixture(scope="module")
def model():
    return pupil_of(600).graduate()


def textured(index: int) -> Percept:
    """A percept in whose picture a textured patch moves, with its mask."""
    rng = np.random.default_rng(0)
    seen = percept(index)
    planes = np.full((360, 320), 128, np.uint8)
    mask = np.zeros((240, 320), np.uint8)
    here = slice(60, 180), slice(60 + 2 * index, 180 + 2 * index)
    planes[here] = np.kron(rng.integers(0, 256, (30, 30)), np.ones((4, 4)))
    mask[here] = 1
    frame = replace(seen.frame, planes=planes, time_s=index / 10)
    return replace(seen, frame=frame, motion=replace(seen.motion, mask=mask))


def test_every_spec_is_measured_in_its_order():
    extractor = Extractor()
    for index in range(6):
        groups = extractor.measure(textured(index)).scored
    assert tuple(group.spec for group in groups) == SPECS
    assert len({spec.group for spec in SPECS}) == len(SPECS)
    for group in groups:
        assert len(group) > 0
        assert np.isfinite(group.values).all()
        assert (group.cells is not None) == (group.track_id == SCENE).all()


def test_descriptors_are_measured_only_where_they_are_wanted_and_change_no_score(model):
    plain, describing = Extractor(), Extractor(describing=True)
    for index in range(20):
        seen = textured(index)
        alone, both = plain.measure(seen), describing.measure(seen)
        assert alone.described == ()
        assert tuple(group.spec for group in both.described) == DESCRIPTOR_SPECS
        for ours, theirs in zip(alone.scored, both.scored, strict=True):
            np.testing.assert_array_equal(ours.values, theirs.values)
    _, scene_flow, scene_objects = both.described
    assert scene_flow.values[0, :8].argmax() == 0  # the patch goes right
    assert len(scene_objects) == 1
    for group in both.described:
        assert np.isfinite(group.values).all()


def test_nothing_in_sight_is_no_rows_of_every_group():
    groups = Extractor().measure(percept(0, people=0)).scored
    assert [len(group) for group in groups] == [0] * len(SPECS)


def test_a_pupil_counts_the_footage_it_has_seen():
    assert pupil_of(0).seconds == 0
    assert pupil_of(101).seconds == pytest.approx(20)


def test_a_pupil_that_saw_too_little_says_so():
    with pytest.raises(NotLearntError, match="camera door"):
        pupil_of(5).graduate()


def test_a_model_says_which_features_it_was_learnt_with(model):
    assert model.camera == "door"
    assert model.options == PLAN.options
    assert model.budget.alarms_per_day == 2
    assert set(model.spec_versions) <= {spec.spec_version for spec in SPECS}


def test_walkers_are_normal_and_who_runs_is_named(model):
    judge = Judge(model, labels=["person"])
    walking = [judge.score(percept(index)) for index in range(600, 700)]
    running = [judge.score(percept(index, speed=6.0)) for index in range(2000, 2010)]
    assert np.mean([frame.score >= model.threshold for frame in walking]) < 0.05
    assert running[-1].score > model.threshold
    worst = running[-1].regions[0]
    assert worst.label == "person"
    assert "speed" in worst.reason.feature
    assert worst.score == running[-1].score


def test_a_score_carries_its_frame(model):
    seen = percept(7)
    score = Judge(model, labels=[]).score(seen)
    assert (score.camera, score.index, score.time_s) == ("door", 7, seen.frame.time_s)
    assert (score.width, score.height) == (WIDTH, HEIGHT)
    assert Judge(model, labels=[]).model is model


def test_scores_are_causal_and_repeatable(model):
    shown = [percept(index, speed=1.0 + (index > 20)) for index in range(40)]
    whole, again, start = (
        [judge.score(each) for each in part]
        for judge, part in (
            (Judge(model, labels=[]), shown),
            (Judge(model, labels=[]), shown),
            (Judge(model, labels=[]), shown[:25]),
        )
    )
    assert whole == again
    assert whole[:25] == start


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A student that looks at the whole picture through a backbone of its own."""
    backbone = tiny_backbone(tmp_path_factory.mktemp("exported") / "backbone")
    return student("dakd", eyes=Eyes(backbone, Look("picture")))


def flickering(index: int) -> Percept:
    """Walkers under a lamp: the brightness never stays."""
    seen = percept(index)
    luma = 60 + (index * index * 7) % 120
    return replace(seen, frame=replace(seen.frame, planes=grey_planes(luma)))


def test_an_exported_student_judges_by_what_its_own_eyes_see(exported):
    """Live, every segment has the score that the same rows get offline, and only a student's."""
    pupil = Pupil("door", replace(PLAN, student=exported))
    eye = SceneEmbedding(exported.eyes.backbone, exported.eyes.look)
    rows = []
    for index in range(60 * SCENE_SEGMENT_FRAMES):
        seen = flickering(index)
        pupil.watch(seen)
        rows.extend(eye.observe(seen.frame, seen.tracks.boxes_xyxy).values)
    model = pupil.graduate()
    assert model.student is exported
    assert model.spec_versions[-1] == exported.features.spec_version
    judge = Judge(model, labels=())
    said = [judge.score(flickering(index)).student for index in range(5 * SCENE_SEGMENT_FRAMES)]
    assert said[: SCENE_SEGMENT_FRAMES - 1] == [None] * (SCENE_SEGMENT_FRAMES - 1)
    in_force = said[SCENE_SEGMENT_FRAMES - 1 :: SCENE_SEGMENT_FRAMES]
    np.testing.assert_allclose(in_force, exported.scores(np.array(rows[:5])), rtol=1e-6)


def test_what_an_exported_student_says_can_be_the_reason(exported):
    pupil = Pupil("door", replace(PLAN, student=exported))
    for index in range(60 * SCENE_SEGMENT_FRAMES):
        pupil.watch(flickering(index))
    judge = Judge(pupil.graduate(), labels=())
    reasons = set()
    for index in range(3 * SCENE_SEGMENT_FRAMES):
        seen = percept(index)
        planes = grey_planes(100 if index < 2 * SCENE_SEGMENT_FRAMES else 255)
        score = judge.score(replace(seen, frame=replace(seen.frame, planes=planes)))
        reasons |= {region.reason.feature for region in score.regions}
    assert "student's log-odds" in reasons


def coloured(index: int, luma: int, u: int, v: int) -> Percept:
    """Walkers all of one colour, floor and all; the brightness never stays."""
    seen = percept(index)
    planes = grey_planes(luma + 30 * (index % 2))
    planes[HEIGHT : HEIGHT + HEIGHT // 4] = u
    planes[HEIGHT + HEIGHT // 4 :] = v
    return replace(seen, frame=replace(seen.frame, planes=planes))


def green(index: int) -> Percept:
    return coloured(index, 120, 90, 90)


def red(index: int) -> Percept:
    return coloured(index, 80, 100, 230)


def test_words_take_part_from_learning_to_the_reason():
    words = fake_words()
    pupil = Pupil("door", replace(PLAN, words=words))
    for index in range(300):
        pupil.watch(green(index))
    model = pupil.graduate()
    assert model.words is words
    assert words.features.spec_version in model.spec_versions
    judge = Judge(model, labels=())
    calm = [judge.score(green(index)) for index in range(300, 340)]
    odd = [judge.score(red(index)) for index in range(340, 380)]
    assert max(frame.score for frame in calm) < model.threshold < odd[-1].score
    assert "looks like: a red coat" in {region.reason.feature for region in odd[-1].regions}


def test_what_sees_actions_may_be_shared_and_hears_how_anomalous_tracks_are():
    words = fake_words()
    sight = words.sight()
    pupil = Pupil("door", replace(PLAN, words=words), sight=sight)
    for index in range(200):
        seen = green(index)
        sight.look([seen])
        pupil.watch(seen)
    embedded = sum(words.model.batches)
    assert sight.looks("door").embeddings == embedded  # nobody looked twice
    heard = []
    sight.heed = lambda camera, levels: heard.append((camera, levels))
    judge = Judge(pupil.graduate(), labels=(), sight=sight)
    seen = green(200)
    judge.score(seen)
    assert heard[0][0] == "door"
    assert heard[0][1].keys() == set(seen.tracks.track_id.tolist())


def test_a_guide_has_the_last_word():
    class Guide:
        def saw(self, levels):
            assert levels.shape == (2,)

        def change(self, actions, boxes_xyxy, *, time_s, width, height):
            return np.full(len(actions), -1e9, np.float32)

        def may_silence(self, boxes_xyxy, *, time_s, width, height):
            return np.ones(len(boxes_xyxy), np.bool_)

    words = fake_words()
    pupil = Pupil("door", replace(PLAN, words=words))
    for index in range(300):
        pupil.watch(green(index))
    model = pupil.graduate()
    plain, guided = Judge(model, labels=()), Judge(model, labels=(), guide=Guide())
    for index in range(300, 340):
        loud, quiet = plain.score(red(index)), guided.score(red(index))
    assert loud.score > model.threshold
    assert quiet.score < model.threshold


def test_a_word_model_that_does_not_run_leaves_the_other_terms(monkeypatch):
    words = fake_words()
    pupil = Pupil("door", replace(PLAN, words=words))
    for index in range(300):
        pupil.watch(green(index))

    def fail(prepared):
        raise ModelError("no memory left")

    monkeypatch.setattr(words.model, "embed", fail)
    sight = words.sight()
    judge = Judge(pupil.graduate(), labels=(), sight=sight)
    frames = [judge.score(green(index)) for index in range(300, 340)]
    assert sight.looks("door").failed > 0
    told = dict(frames[-1].regions[0].reason.terms)
    assert told["words"] == 0
    assert max(told.values()) > 0


def test_a_model_without_words_sees_no_actions(model):
    judge = Judge(model, labels=(), sight=fake_words().sight())
    judge.become(model)
    assert judge.score(percept(0)).score >= 0
