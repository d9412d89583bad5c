"""A camera has learnt walkers and meets a runner."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.domain.features import Features
from edge.domain.tracks import Tracks
from edge.errors import FeatureVersionError
from edge.scoring.model import CameraModel
from edge.scoring.scorer import ADAPT_BELOW, CameraScorer
from tests.scoring.camera import (
    GAIT,
    WALKERS,
    cells,
    footage,
    gait,
    learn,
    observe,
    tracks_of,
    walk,
)

RUNNER, CALM = (4.1, 0.1), (1.0, 0.1)


@pytest.fixture(scope="module")
def model() -> CameraModel:
    return learn(size=300)


@pytest.fixture(scope="module")
def both() -> CameraModel:
    """Has learnt objects and cells."""
    return learn(footage(with_cells=True), size=300)


@pytest.mark.parametrize("kind", ["neighbours", "kmeans"])
def test_a_runner_alarms_and_walkers_do_not(kind: str):
    learnt = learn(normality=kind, size=200)
    scorer = CameraScorer(learnt, labels=["person"])
    walkers = [observe(scorer, gait(WALKERS), index=k) for k in range(50)]
    runner = [observe(scorer, gait([CALM, RUNNER], [1, 3]), index=k) for k in range(50, 70)]
    assert max(frame.score for frame in walkers) < learnt.threshold
    assert runner[-1].score > learnt.threshold


def test_the_reason_names_the_feature_and_what_is_usual(model: CameraModel):
    frame = observe(CameraScorer(model, labels=["person"]), gait([CALM, RUNNER]), index=0)
    worst = frame.regions[0]
    assert (worst.track_id, worst.label, worst.reason.feature) == (2, "person", "speed")
    assert worst.reason.above
    assert worst.reason.value == pytest.approx(4.1)
    assert 1.3 < worst.reason.usual < 1.9
    assert str(worst.reason).startswith("speed 4.1 heights/s, usual ≤ 1.")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    speeds=st.lists(st.floats(0, 8, width=32), min_size=1, max_size=4),
    energy=st.lists(st.floats(0, 60, width=32), min_size=1, max_size=3),
)
def test_what_is_blamed_has_the_score_of_the_frame(both: CameraModel, speeds, energy):
    seen = gait([(speed, 0.1) for speed in speeds]), cells(energy)
    frame = observe(CameraScorer(both, labels=[]), *seen, index=0)
    scores = [region.score for region in frame.regions]
    assert scores[0] == frame.score
    assert scores == sorted(scores, reverse=True)
    ids = [region.track_id for region in frame.regions]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("class_id", "label"), [(0, "person"), (1, "object"), (-1, "object")])
def test_an_object_is_called_by_its_class(model: CameraModel, class_id: int, label: str):
    seen = gait([RUNNER])
    scorer = CameraScorer(model, labels=["person"])
    frame = observe(scorer, seen, index=0, tracks=tracks_of(seen, class_id))
    assert frame.regions[0].label == label


def test_an_empty_frame_has_no_score_and_no_regions(model: CameraModel):
    scorer = CameraScorer(model, labels=[])
    before = observe(scorer, gait([RUNNER]), index=0)
    for index, groups in ((1, [gait([])]), (2, [])):
        after = observe(scorer, *groups, index=index)
        assert after.regions == ()
        assert 0 <= after.score < before.score
        assert after.score < model.threshold


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(speeds=st.lists(st.floats(0, 8, width=32), min_size=1, max_size=12), cut=st.integers(0, 11))
def test_scores_are_causal(both: CameraModel, speeds: list[float], cut: int):
    whole, start = (
        [
            observe(scorer, gait([(v, 0.1)]), cells([4 * v]), index=k).score
            for k, v in enumerate(part)
        ]
        for scorer, part in (
            (CameraScorer(both, labels=[]), speeds),
            (CameraScorer(both, labels=[]), speeds[: cut + 1]),
        )
    )
    assert whole[: cut + 1] == start


def test_a_score_does_not_depend_on_the_order_of_the_groups(both: CameraModel):
    ahead, back = (CameraScorer(both, labels=[]) for _ in range(2))
    rng = np.random.default_rng(0)
    for index in range(30):
        groups = gait(rng.normal((1.5, 0.1), (1, 0.05), (3, 2))), cells(rng.normal(6, 3, 3))
        one = observe(ahead, *groups, index=index)
        other = observe(back, *groups[::-1], index=index)
        assert one == other


def test_surprise_gathers_along_a_track(model: CameraModel):
    scorer = CameraScorer(model, labels=[])
    scores = [observe(scorer, gait([RUNNER]), index=k).score for k in range(10)]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0]


def test_a_loud_cell_where_nobody_is_tracked_is_the_scene(both: CameraModel):
    seen = gait([CALM]), cells([5, 5, 60])
    frame = observe(CameraScorer(both, labels=["person"]), *seen, index=0)
    blamed = frame.regions[0]
    assert (blamed.track_id, blamed.label) == (None, "scene")
    assert blamed.box_xyxy == (600, 280, 640, 320)
    assert blamed.reason.feature == "energy"
    assert blamed.score == frame.score


def test_the_track_around_a_loud_cell_is_blamed_instead(both: CameraModel):
    # the second object stands at 190..230 x 100..200: around the middle of cell (5, 3)
    seen = gait(WALKERS), cells([5, 60], ((15, 7), (5, 3)))
    frame = observe(CameraScorer(both, labels=["person"]), *seen, index=0)
    blamed = frame.regions[0]
    assert (blamed.track_id, blamed.label) == (2, "person")
    assert blamed.box_xyxy == (190, 100, 230, 200)
    assert (blamed.reason.feature, blamed.reason.value) == ("energy", 60)
    assert blamed.score == frame.score
    assert None not in {region.track_id for region in frame.regions}


def test_terms_that_agree_are_more_surprising_than_one(both: CameraModel):
    def score(*groups: Features) -> float:
        return observe(CameraScorer(both, labels=[]), *groups, index=0).score

    alone = score(gait([RUNNER]), cells([5, 5, 5])), score(gait([CALM]), cells([5, 5, 60]))
    assert score(gait([RUNNER]), cells([5, 5, 60])) > max(alone)


def test_a_young_track_without_a_segment_can_be_in_sight(model: CameraModel):
    seen = gait([RUNNER, CALM])
    young = replace(
        seen, **{k: getattr(seen, k)[:1] for k in ("track_id", "class_id", "boxes_xyxy", "values")}
    )
    frame = observe(CameraScorer(model, labels=[]), young, index=0, tracks=tracks_of(seen))
    assert [region.track_id for region in frame.regions] == [1]


def test_a_frame_is_scored_where_nobody_is_to_be_blamed(model: CameraModel):
    seen = gait([RUNNER])
    known, nobody = (CameraScorer(model, labels=[]) for _ in range(2))
    frame = observe(nobody, seen, index=0, tracks=Tracks.none())
    assert frame.score == observe(known, seen, index=0).score
    assert [region.label for region in frame.regions] == ["scene"]


class TestAdapting:
    def prototypes(self, scorer: CameraScorer):
        return scorer.model.terms[0].normality.state()["prototypes"].copy()

    def watch(self, frames, *, adapt: bool):
        """Whether a new camera has learnt from these frames, the scores of them, its threshold."""
        learnt = learn(size=1000)
        scorer = CameraScorer(learnt, labels=[], adapt=adapt)
        before = self.prototypes(scorer)
        scores = [observe(scorer, seen, index=k).score for k, seen in enumerate(frames)]
        return not np.array_equal(before, self.prototypes(scorer)), scores, learnt.threshold

    def test_an_anomaly_never_teaches(self):
        taught, scores, threshold = self.watch([gait([(6.0, 0.1)])] * 30, adapt=True)
        assert min(scores) > ADAPT_BELOW * threshold
        assert scores[-1] > threshold
        assert not taught

    @pytest.mark.parametrize("adapt", [True, False])
    def test_normal_frames_teach_where_that_is_wanted(self, adapt: bool):
        rng = np.random.default_rng(4)
        taught, scores, threshold = self.watch([gait(walk(rng)) for _ in range(300)], adapt=adapt)
        assert np.median(scores) < ADAPT_BELOW * threshold
        assert taught is adapt

    def test_what_is_neither_normal_nor_alarming_does_not_teach(self):
        learnt = learn(size=1000)
        scorer = CameraScorer(learnt, labels=[], adapt=True)
        for index, speed in enumerate(np.linspace(1.3, 4, 200)):
            before = self.prototypes(scorer)
            score = observe(scorer, gait([(speed, 0.1)]), index=index).score
            if score >= ADAPT_BELOW * learnt.threshold:
                np.testing.assert_array_equal(before, self.prototypes(scorer))
        assert score > learnt.threshold


@pytest.mark.parametrize("other", [replace(GAIT, revision=2), replace(GAIT, excess=True)])
def test_another_version_of_the_features_is_refused(model: CameraModel, other):
    seen = replace(gait([CALM]), spec=other)
    with pytest.raises(FeatureVersionError, match=r"gate learnt gait-1-.*gait-[12]-.*anew"):
        observe(CameraScorer(model, labels=[]), seen, index=0)


def test_a_group_that_was_never_learnt_is_silent(model: CameraModel):
    one, two = (CameraScorer(model, labels=[]) for _ in range(2))
    plain = observe(one, gait(WALKERS), index=0)
    assert observe(two, gait(WALKERS), cells([900, 900]), index=0) == plain
