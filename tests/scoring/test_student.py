"""The student as a term: beside the others, on its own calibration, through changes of models."""

from dataclasses import replace

import numpy as np
import pytest

from edge.analysis import SPECS, Extractor
from edge.errors import FeatureVersionError, ModelError, NotLearntError
from edge.features import kinematics
from edge.scoring import student as room
from edge.scoring.calibration import TailCalibration
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import _learn_student, learn_camera
from edge.scoring.scorer import CameraScorer
from edge.scoring.store import load_camera_model, save_camera_model
from edge.scoring.student import SCENE_SPEC, StudentTerm
from tests.fakes.percepts import percept
from tests.fakes.students import artifact, learnt, measured, student, walkers

HEADS = ("density", "clap", "temporal")
FRAMES = 900


@pytest.fixture(scope="module")
def models():
    """The same camera without a student, None, and with one of every head."""
    return {head: learnt(head) for head in (None, *HEADS)}


def watch(scorer, frames, *, start=0, extractor=None, speed=1.0):
    extractor = extractor or Extractor(describing=True)
    scores = []
    for index in range(start, start + frames):
        seen = percept(index, speed=speed)
        groups = measured(extractor, seen)
        frame = seen.frame
        scores.append(
            scorer.observe(
                groups,
                seen.tracks,
                index=index,
                time_s=frame.time_s,
                width=frame.width,
                height=frame.height,
            )
        )
    return scores


@pytest.mark.parametrize("head", HEADS)
def test_a_long_sequence_is_scored_as_segment_after_segment(head, monkeypatch):
    taught = student(head)
    x = np.random.default_rng(3).normal(size=(11, len(taught.features))).astype(np.float32)
    back = taught.spec.window
    single = [taught.distance(x[max(k + 1 - back, 0) : k + 1])[-1] for k in range(len(x))]
    np.testing.assert_allclose(taught.distance(x), single, rtol=1e-5)
    monkeypatch.setattr(room, "AT_ONCE", 4)
    np.testing.assert_allclose(taught.distance(x), single, rtol=1e-5)
    assert taught.distance(x[:0]).shape == (0,)


def test_a_student_that_looks_ahead_is_shown_no_later_segment(monkeypatch):
    taught = student("dakd")
    assert taught.spec.looks_ahead
    x = np.random.default_rng(3).normal(size=(9, len(taught.features))).astype(np.float32)
    monkeypatch.setattr(room, "WINDOWS_AT_ONCE", 3)
    whole = taught.distance(x)
    for end in range(1, len(x) + 1):
        np.testing.assert_allclose(taught.distance(x[:end]), whole[:end], rtol=1e-5)
        seen = x[max(end - taught.spec.window, 0) : end]
        said = taught.distance_of(np.float32([taught.newest(seen)]))
        np.testing.assert_allclose(said, whole[end - 1 : end], rtol=1e-5)


def test_what_learnt_elsewhere_reads_rows_as_they_are():
    taught, standardiser = student("dakd"), None
    rows = np.full((2, len(taught.features)), 1e3, np.float32)
    assert taught.points(standardiser, rows, np.zeros((2, 2), np.float32)) is rows


def test_a_probability_of_one_is_a_finite_distance_and_keeps_the_order():
    taught = student("clap", strength=1.0)
    sizes = np.linspace(0, 50, 200, dtype=np.float32)
    away = taught.distance(np.repeat(sizes[:, None], len(taught.features), axis=1))
    assert np.isfinite(away).all()
    assert (np.diff(away) >= 0).all()


def test_an_energy_below_0_is_calibrated_as_it_is():
    taught = student("density")
    rows = np.random.default_rng(0).normal(size=(5000, len(taught.features))).astype(np.float32)
    energy = taught.distance(rows)
    assert energy.max() < 0
    calibration = TailCalibration.fit(energy)
    surprise = calibration.surprise(energy)
    assert np.mean(surprise > 1) == pytest.approx(0.1, abs=0.01)
    assert np.mean(surprise > 2) == pytest.approx(0.01, abs=0.005)
    shifted = TailCalibration.fit(energy + 60).surprise(energy + 60)
    np.testing.assert_allclose(surprise, shifted, atol=0.02)


@pytest.mark.parametrize("head", HEADS)
def test_a_student_of_other_features_is_refused(head):
    with pytest.raises(FeatureVersionError, match="learn anew"):
        StudentTerm.of(artifact(head, spec_versions=("scene-flow-0-beef",)))
    made = artifact(head)
    with pytest.raises(ModelError, match="features"):
        StudentTerm.of(replace(made, spec=replace(made.spec, inputs=made.spec.inputs + 1)))


def test_a_student_that_misses_its_golden_scores_is_refused():
    made = artifact()
    golden = replace(made.golden, scores=made.golden.scores + 1)
    with pytest.raises(ModelError, match="golden"):
        StudentTerm.of(replace(made, golden=golden))


@pytest.mark.parametrize("head", HEADS)
def test_it_is_one_more_term_and_the_others_are_as_without_it(models, head):
    plain, model = models[None], models[head]
    assert model.spec_versions[:-1] == plain.spec_versions
    last = SCENE_SPEC if head != "density" else kinematics.SPEC
    assert model.terms[-1].spec == last
    assert model.student.spec.head == head
    assert plain.student is None
    assert model.version == f"{plain.version}-{model.student.version}"
    for ours, theirs in zip(plain.terms, model.terms[:-1], strict=True):
        np.testing.assert_array_equal(ours.level.knots, theirs.level.knots)
        np.testing.assert_array_equal(ours.calibration.knots, theirs.calibration.knots)


def test_scene_segments_are_no_term_of_their_own(models):
    assert set(models[None].spec_versions) <= {spec.spec_version for spec in SPECS}


@pytest.mark.parametrize("head", HEADS)
def test_live_it_says_what_its_calibration_was_made_of(models, head):
    """Frame by frame the level of the footage that the threshold was set by."""
    model, found = models[head], walkers(FRAMES)
    _, level = _learn_student(
        model.student, found.tables(), found.time_s, model.options, camera="door"
    )
    live = CameraScorer(replace(model, terms=model.terms[-1:]), labels=())
    scores = [frame.score for frame in watch(live, FRAMES)]
    np.testing.assert_allclose(scores, model.evidence.surprise(level), rtol=1e-3, atol=1e-3)
    assert len(np.unique(level)) > 20


def test_whoever_runs_is_named_with_a_feature_that_people_know(models):
    for head in HEADS:
        scorer, extractor = (
            CameraScorer(models[head], labels=["person"]),
            Extractor(describing=True),
        )
        watch(scorer, 60, extractor=extractor)
        frames = watch(scorer, 12, start=2000, extractor=extractor, speed=6.0)
        assert frames[-1].score > models[head].threshold
        worst = frames[-1].regions[0]
        assert worst.label == "person"
        known = {feature.name for term in models[head].terms for feature in term.spec.features}
        assert worst.reason.feature in known


def test_a_student_alone_gives_a_reason_in_its_features(models):
    """Terms of the student only: what departs most is named, never the student."""
    for head in HEADS:
        model = replace(models[head], terms=models[head].terms[-1:])
        frame = watch(CameraScorer(model, labels=()), 40)[-1]
        names = {feature.name for feature in model.terms[0].spec.features}
        assert frame.regions[0].reason.feature in names


def test_two_terms_of_one_group_are_both_heard(models):
    """Each is smoothed by itself: a term beside its own copy says what it says alone."""
    first, *_, last = models["density"].terms
    assert first.spec == last.spec

    def scores(*terms):
        model = replace(models["density"], terms=terms)
        return [frame.score for frame in watch(CameraScorer(model, labels=()), 60, speed=2.0)]

    assert scores(first) == scores(first, first)
    assert scores(last) == scores(last, last)
    assert scores(first) != scores(last)
    assert scores(first, last) == scores(last, first)


@pytest.mark.parametrize("head", [None, *HEADS])
def test_becoming_an_equal_model_changes_nothing(models, head):
    """What has gathered along the way, and the segments of the scene, survive a swap."""
    model = models[head]
    still, swapped = (CameraScorer(model, labels=()) for _ in range(2))
    ours, theirs = Extractor(describing=True), Extractor(describing=True)
    for start in range(0, 120, 7):
        one = watch(still, 7, start=start, extractor=ours, speed=2.0)
        other = watch(swapped, 7, start=start, extractor=theirs, speed=2.0)
        assert one == other
        swapped.become(replace(model))


def test_without_a_student_again_it_scores_as_if_there_had_been_none(models):
    never, once = (CameraScorer(models[None], labels=()) for _ in range(2))
    ours, theirs = Extractor(describing=True), Extractor(describing=True)
    watch(never, 40, extractor=ours)
    watch(once, 20, extractor=theirs)
    once.become(models["density"])
    watch(once, 20, start=20, extractor=theirs)
    once.become(models[None])
    assert watch(never, 20, start=40, extractor=ours) == watch(once, 20, start=40, extractor=theirs)


def test_a_hole_ends_what_the_scene_said(models):
    model = models["clap"]
    scorer = CameraScorer(replace(model, terms=model.terms[-1:]), labels=())
    assert watch(scorer, 30)[-1].regions
    after = watch(scorer, 16, start=400)
    assert [bool(frame.regions) for frame in after] == [False] * 15 + [True]


class TestStored:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "door.safetensors"

    @pytest.mark.parametrize("head", HEADS)
    def test_a_camera_is_the_same_with_its_student(self, models, path, head):
        model = models[head]
        save_camera_model(path, model)
        loaded = load_camera_model(path, SPECS, student=model.student)
        assert loaded.student is model.student
        assert loaded.version == model.version
        for ours, theirs in zip(
            watch(CameraScorer(model, labels=()), 40),
            watch(CameraScorer(loaded, labels=()), 40),
            strict=True,
        ):
            assert ours.score == pytest.approx(theirs.score, rel=1e-5)

    def test_another_student_is_refused_and_so_is_none(self, models, path):
        save_camera_model(path, models["density"])
        for other in (None, student("density", seed=9)):
            with pytest.raises(ModelError, match="calibrated with student"):
                load_camera_model(path, SPECS, student=other)
        save_camera_model(path, models[None])
        with pytest.raises(ModelError, match="calibrated with student none"):
            load_camera_model(path, SPECS, student=student())

    def test_a_camera_without_a_student_names_none(self, models, path):
        save_camera_model(path, models[None])
        assert b"student" not in path.read_bytes()


@pytest.mark.parametrize(
    ("head", "group"), [("temporal", "scene-segment"), ("clap", "scene-segment")]
)
def test_too_little_to_calibrate_a_student_is_said(head, group):
    with pytest.raises(
        NotLearntError, match=f"door.* 3 segments of {group}.*50 segments are 160 s at 5 Hz"
    ):
        learnt(head, frames=60)


def test_footage_without_what_the_student_reads_is_said():
    collected, extractor = NormalFootage(), Extractor()
    for index in range(60):
        seen = percept(index)
        groups = extractor.measure(seen).scored
        collected.add(groups, time_s=seen.frame.time_s, width=64, height=48)
    with pytest.raises(NotLearntError, match="holds 0 segments of scene-segment"):
        learn_camera(
            collected, camera="door", alarms_per_day=2.0, created_s=0.0, student=student("clap")
        )
