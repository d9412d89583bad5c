import numpy as np
import pytest

from edge.errors import NotLearntError
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import _along_the_way, learn_camera
from edge.scoring.model import ScoringOptions
from edge.scoring.scorer import CameraScorer
from edge.scoring.smoothing import Smoother
from tests.scoring.camera import cells, cycling, footage, gait, learn, observe, walk

MEMORY = {"memory_s": 1.0, "prior_s": 0.25}


def scores_of(model, *, frames: int, seed: int, with_cells: bool = False):
    """Frame scores of normal footage that was not learnt from."""
    rng = np.random.default_rng(seed)
    scorer = CameraScorer(model, labels=[])
    found = []
    for k in range(frames):
        groups = [gait(walk(rng), [2 * (k // 40), 2 * (k // 40) + 1])]
        if with_cells:
            groups.append(cells(rng.normal(5, 1, 3)))
        found.append(observe(scorer, *groups, index=k).score)
    return np.array(found)


@pytest.mark.parametrize("with_cells", [False, True])
def test_one_normal_frame_in_ten_exceeds_one_decade(with_cells: bool):
    model = learn(footage(2000, with_cells=with_cells), size=300)
    scores = scores_of(model, frames=2000, seed=7, with_cells=with_cells)
    assert (scores > 1).mean() == pytest.approx(0.1, abs=0.05)
    assert (scores > 2).mean() == pytest.approx(0.01, abs=0.01)


def test_evidence_gathers_while_learning_as_it_does_live():
    """Cells come and go: a frame in which nothing moves is not a step of their smoothing."""
    rng = np.random.default_rng(0)
    collected, live, expected, surprises = NormalFootage(), Smoother(**MEMORY), [], []
    for k in range(60):
        seen = cells([5.0] * int(rng.integers(0, 4)))
        collected.add([seen], time_s=k / 5, width=640, height=360)
        if len(seen):
            surprise = rng.uniform(0, 4, len(seen)).astype(np.float32)
            surprises.append(surprise)
            expected.append(live.step(seen.track_id, seen.cells, surprise, k / 5))
    (table,) = collected.tables()
    learnt = _along_the_way(
        table, np.concatenate(surprises), collected.time_s, ScoringOptions(**MEMORY)
    )
    np.testing.assert_array_equal(learnt, np.concatenate(expected))


def test_the_level_of_every_term_is_calibrated_by_itself():
    """A term with many regions has a louder loudest one, and speaks no louder for it."""
    model = learn(footage(1500, with_cells=True), size=300)
    rng = np.random.default_rng(3)
    for term in model.terms:
        assert term.level.surprise(np.zeros(1, np.float32))[0] == 0
        surprise = term.level.surprise(rng.uniform(0, 9, 50).astype(np.float32))
        assert np.isfinite(surprise).all()


FRAMES = 3000
RARE = frozenset(k for start in (300, 1100, 1800, 2600) for k in range(start, start + 8))
"""32 of 6000 segments, in four passages: each of the four folds has one to hold out."""


@pytest.mark.parametrize("kind", ["neighbours", "kmeans"])
class TestRareNormal:
    def passage(self, kind: str, collected):
        """A cyclist the camera has not seen before, and its threshold."""
        model = learn(collected, normality=kind, size=200)
        rng = np.random.default_rng(11)
        scorer = CameraScorer(model, labels=[])
        frames = [
            observe(scorer, gait([cycling(rng), (1.2, 0.1)], [70, 71]), index=k) for k in range(8)
        ]
        return max(frame.score for frame in frames), model.threshold

    def test_half_a_percent_of_the_footage_is_normal(self, kind: str):
        score, threshold = self.passage(kind, footage(FRAMES, rare=RARE))
        assert score < threshold

    def test_what_was_never_seen_is_alarmed(self, kind: str):
        score, threshold = self.passage(kind, footage(FRAMES))
        assert score > threshold


def test_the_same_footage_gives_the_same_model():
    one, two = (learn(size=100) for _ in range(2))
    assert one.budget == two.budget
    np.testing.assert_array_equal(
        one.terms[0].normality.state()["prototypes"], two.terms[0].normality.state()["prototypes"]
    )


def test_too_little_footage_is_said_clearly():
    with pytest.raises(NotLearntError, match=r"gate.*only 20 segments"):
        learn_camera(footage(10), camera="gate", alarms_per_day=2, created_s=0.0)


def test_a_group_that_was_hardly_seen_is_left_out():
    collected = footage(200)
    collected.add([cells([5.0, 5.0, 5.0])], time_s=41.0, width=640, height=360)
    assert [term.spec.group for term in learn(collected, size=50).terms] == ["gait"]


def test_what_was_learnt_is_told():
    model = learn(size=50)
    assert model.camera == "gate"
    assert model.learnt_from_s == pytest.approx(1499 / 5)
    assert model.version == "19700101T000000Z"
    assert model.threshold == model.budget.threshold
    assert model.spec_versions == tuple(term.spec.spec_version for term in model.terms)
