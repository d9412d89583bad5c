from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DatasetError, TrainingError
from export.dakd.options import UNDISTILLED, DistilOptions, TeacherOptions
from tests.export.dakd.toy import toy

torch = pytest.importorskip("torch")
teach = pytest.importorskip("export.dakd.teach")
judge_room = pytest.importorskip("export.dakd.judge")
course = pytest.importorskip("export.dakd.course")
network_room = pytest.importorskip("export.dakd.network")
NetworkSpec = network_room.NetworkSpec
weights_of = pytest.importorskip("edge.model.student").weights_of

FEATURES = toy(train=24, test=12)
OWN = FEATURES.of("b")
SIZES = {"hidden": 32, "attention_heads": 2, "reach": 5}
TEACHER, STUDENT = NetworkSpec(FEATURES.widths, **SIZES), NetworkSpec(OWN.widths, **SIZES)
QUICK = TeacherOptions(epochs=25, learning_rate=3e-3, temporal_learning_rate=3e-3)
DISTIL = DistilOptions(
    epochs=25, learning_rate=3e-3, temporal_learning_rate=3e-3, contrast_width=16
)
ALONE = replace(DISTIL, predictions=UNDISTILLED.predictions, alpha=0.0)
SHORT = replace(QUICK, epochs=3)


@pytest.fixture(scope="module")
def teacher():
    losses = []
    taught = teach.train_teacher(
        TEACHER, FEATURES, QUICK, seed=0, told=lambda _epoch, loss: losses.append(loss)
    )
    return taught, losses


@pytest.fixture(scope="module")
def teaching(teacher):
    return teach.teaching_of(teacher[0].network, FEATURES, segments=QUICK.segments)


def same(one, other) -> bool:
    a, b = weights_of(one), weights_of(other)
    return all(np.array_equal(a[name], b[name]) for name in a)


def whole(network, features) -> float:
    return judge_room.judge(network, features, window=8).whole


def test_a_teacher_learns_where_videos_are_strange_from_their_labels_alone(teacher):
    taught, losses = teacher
    assert len(losses) == QUICK.epochs
    assert losses[-1] < 0.3 * losses[0]
    assert taught.loss == losses[-1]
    assert whole(taught.network, FEATURES) > 0.9


def test_a_distilled_student_finds_what_its_teacher_found(teaching):
    losses = []
    taught = teach.train_student(
        STUDENT, OWN, DISTIL, teaching, seed=0, told=lambda _epoch, loss: losses.append(loss)
    )
    assert losses[-1] < losses[0]
    assert whole(taught.network, OWN) > 0.85


@pytest.mark.parametrize(
    "change", [{"alpha": 0.0}, {"predictions": "video-labels"}, {"min_max": False}, {"epsilon": 0}]
)
def test_every_part_of_the_loss_changes_the_student(teaching, change):
    short = replace(DISTIL, epochs=3)
    complete, without = (
        teach.train_student(STUDENT, OWN, options, teaching, seed=0).network
        for options in (short, replace(short, **change))
    )
    assert not same(complete, without)


def test_a_student_alone_asks_no_teacher(teaching):
    short = replace(ALONE, epochs=3)
    alone = teach.train_student(STUDENT, OWN, short, None, seed=0).network
    assert same(alone, teach.train_student(STUDENT, OWN, short, teaching, seed=0).network)
    shared = TeacherOptions(**{n: getattr(short, n) for n in TeacherOptions.__dataclass_fields__})
    assert same(alone, teach.train_teacher(STUDENT, OWN, shared, seed=0).network)


def test_a_student_needs_what_its_loss_asks_for(teaching):
    with pytest.raises(DatasetError, match="has not seen"):
        teach.train_student(STUDENT, OWN, DISTIL, None, seed=0)
    other = toy(train=8).of("b")
    with pytest.raises(DatasetError, match="has not seen"):
        teach.train_student(STUDENT, other, DISTIL, teaching, seed=0)


def test_equal_seeds_give_equal_teachers_and_disturb_no_other_draw():
    before = torch.get_rng_state()
    one, two, other = (
        teach.train_teacher(TEACHER, FEATURES, SHORT, seed=seed).network for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert same(one, two)
    assert not same(one, other)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("stage", ["teacher", "student"])
def test_a_killed_training_ends_as_if_nothing_had_happened(
    stage: str, teaching, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(course, "CHECKPOINT_EPOCHS", 2)
    path = tmp_path / "checkpoint"

    def train(**extra):
        if stage == "teacher":
            return teach.train_teacher(TEACHER, FEATURES, replace(QUICK, epochs=5), seed=3, **extra)
        options = replace(DISTIL, epochs=5)
        return teach.train_student(STUDENT, OWN, options, teaching, seed=3, **extra)

    def kill(epoch: int, _loss: float) -> None:
        if epoch == 4:
            raise KilledError

    with pytest.raises(KilledError):
        train(checkpoint=path, told=kill)
    epochs = []
    resumed = train(checkpoint=path, told=lambda epoch, _loss: epochs.append(epoch))
    assert epochs == [3, 4, 5]
    assert same(resumed.network, train().network)


def test_another_trainings_checkpoint_is_not_resumed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(course, "CHECKPOINT_EPOCHS", 1)
    path = tmp_path / "checkpoint"
    teach.train_teacher(TEACHER, FEATURES, SHORT, seed=0, checkpoint=path)
    epochs: list[int] = []
    teach.train_teacher(
        TEACHER,
        FEATURES,
        SHORT,
        seed=1,
        checkpoint=path,
        told=lambda epoch, _loss: epochs.append(epoch),
    )
    assert epochs == [1, 2, 3]


def test_a_loss_that_is_no_number_ends_training():
    wild = replace(SHORT, learning_rate=1e30)
    with pytest.raises(TrainingError, match="loss is"):
        teach.train_teacher(TEACHER, FEATURES, wild, seed=0)


def test_the_temporal_part_learns_at_its_own_rate():
    still = replace(SHORT, temporal_learning_rate=0.0)
    start = network_room.make_network(TEACHER, seed=0)
    before = weights_of(start)
    after = weights_of(teach.train_teacher(TEACHER, FEATURES, still, seed=0).network)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    learnt = {name for name, _ in start.named_parameters() if not name.startswith("temporal.")}
    assert moved == learnt | {name for name, _ in start.named_buffers()}


def test_features_are_standardised_by_the_training_clips():
    network = network_room.make_network(STUDENT, seed=0)
    network_room.standardise(network, OWN)
    rows = np.concatenate([views[0] for views in OWN.train.values()])
    weights = weights_of(network)
    np.testing.assert_allclose(
        weights["projections.0.input_mean"], rows.mean(axis=0), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(weights["projections.0.input_scale"], rows.std(axis=0), rtol=1e-4)


def test_a_constant_feature_is_no_division_by_zero():
    constant = {
        name: (np.hstack([view[0], np.ones((len(view[0]), 1), np.float32)]),)
        for name, view in OWN.train.items()
    }
    network = network_room.make_network(replace(STUDENT, widths=(9,)), seed=0)
    network_room.standardise(network, replace(OWN, train=constant))
    assert weights_of(network)["projections.0.input_scale"][-1] == 1


def test_a_teacher_hears_videos_as_its_student_sees_them(teacher, teaching):
    """The first video of nine segments: padded among the others, alone it is not."""
    views = FEATURES.train["v02"]
    expected = judge_room.whole_scores(teacher[0].network, views)
    np.testing.assert_allclose(teaching.scores[2, :9], expected, atol=1e-5)
    assert teaching.aggregated.shape == (24, 12, 64)
