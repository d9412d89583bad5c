from dataclasses import replace

import numpy as np
import pytest
import torch

from aggregator.distillation.distil import aligned, distil, lecture, outlier_margin
from aggregator.distillation.teaching import Knowledge, teach
from edge.errors import ModelError, TrainingError
from edge.model.spec import PENULTIMATE, StudentSpec
from edge.model.student import make_student, predict, weights_of
from tests.aggregator.distillation.public_sets import QUICK, QUICK_TEACHER, WIDTH, some

DENSITY = StudentSpec("density", WIDTH, hidden=16, noise=(0.2, 1.0))
CLAP = StudentSpec("clap", WIDTH, hidden=16, dropout=0.3)
TEMPORAL = StudentSpec("temporal", WIDTH, window=4, hidden=16, attention_heads=2)
HEADS = (DENSITY, CLAP, TEMPORAL)
VIDEOS = some()
KNOWLEDGE = teach(VIDEOS, QUICK_TEACHER, captions=True, seed=0)


def begun(spec):
    return weights_of(make_student(spec, seed=0))


def heard(spec, videos=VIDEOS, knowledge=KNOWLEDGE):
    return lecture(spec, videos, knowledge, 8)


def known(videos):
    """What a teacher would say that is always right."""
    scores = tuple(
        (np.arange(len(v.values)) < 4).astype(np.float32) * bool(v.abnormal) for v in videos
    )
    return Knowledge(tuple(np.zeros((len(v.values), PENULTIMATE), np.float32) for v in videos),
                     scores, 0.0)  # fmt: skip


@pytest.mark.parametrize("spec", HEADS, ids=lambda spec: spec.head)
def test_the_student_comes_nearer_to_its_teacher(spec) -> None:
    few, many = (
        distil(
            spec, begun(spec), heard(spec), replace(QUICK, steps=steps, alpha=10.0), seed=0
        ).distance
        for steps in (2, 60)
    )
    assert 0 < many < few < 1.5


@pytest.mark.parametrize("spec", HEADS, ids=lambda spec: spec.head)
def test_equal_seeds_give_equal_weights_and_disturb_no_other_draw(spec) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    one, other = (distil(spec, begun(spec), heard(spec), QUICK, seed=5) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    for name, array in one.weights.items():
        np.testing.assert_array_equal(array, other.weights[name])
    assert any((array != begun(spec)[name]).any() for name, array in one.weights.items())


@pytest.mark.parametrize("spec", [DENSITY, CLAP], ids=lambda spec: spec.head)
def test_what_the_teacher_calls_abnormal_is_scored_higher(spec) -> None:
    done = distil(
        spec,
        begun(spec),
        heard(spec, knowledge=known(VIDEOS)),
        replace(QUICK, steps=80, learning_rate=3e-3),
        seed=0,
    )
    fresh = some(4, 4, segments=40)
    scores = [predict(spec, done.weights, video.values[None])[0] for video in fresh]
    abnormal = np.concatenate([each[:4] for each in scores[4:]])
    assert abnormal.mean() > np.concatenate(scores[:4]).mean() + np.concatenate(scores[:4]).std()


def test_normal_videos_are_normal_and_unlabelled_ones_teach_no_labels() -> None:
    unlabelled = replace(VIDEOS[-1], abnormal=None)
    told = heard(CLAP, (VIDEOS[0], unlabelled), Knowledge(KNOWLEDGE.z[:2], None, 0.0))
    assert told.target.sum() == 0
    assert told.told[:24].all()
    assert not told.told[24:].any()
    assert told.present.all()


def test_a_student_that_looks_at_one_segment_gets_them_one_by_one() -> None:
    assert heard(CLAP).x.shape == (16 * 24, 1, WIDTH)
    assert heard(TEMPORAL).x.shape == (16 * 3, 8, WIDTH)
    np.testing.assert_array_equal(heard(TEMPORAL).x.reshape(-1, WIDTH), heard(CLAP).x[:, 0])


def test_padding_at_the_end_of_a_video_counts_for_nothing() -> None:
    padded = lecture(TEMPORAL, VIDEOS[:1], Knowledge(KNOWLEDGE.z[:1], None, 0.0), 16)
    assert padded.present.sum() == 24
    assert padded.told.sum() == 24
    assert padded.x.shape[:2] == (2, 16)


def test_the_alignment_begins_where_a_student_that_knows_z_has_nothing_to_learn() -> None:
    student = make_student(CLAP, seed=0)
    told = heard(CLAP)
    with torch.inference_mode():
        own = student.eval()(told.x)[1]
    apart = replace(told, z=0.5 * own.flip(-1) + 2)
    with torch.inference_mode():
        assert (aligned(student, apart)(own) - apart.z).abs().max() < 0.1


def test_nothing_known_of_videos_leaves_the_distance_alone_to_be_learnt() -> None:
    unknown = tuple(replace(video, abnormal=None) for video in VIDEOS)
    told = heard(CLAP, unknown, Knowledge(KNOWLEDGE.z, None, 0.0))
    assert distil(CLAP, begun(CLAP), told, QUICK, seed=0).loss == 0


def test_the_margin_is_0_once_every_abnormal_energy_is_far_enough() -> None:
    energy = torch.tensor([0.0, 1.0, 5.0, 6.0])
    abnormal = torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert outlier_margin(energy, abnormal, 1 - abnormal, 4.0) == 0
    # of the four pairs one is short by 1
    assert outlier_margin(energy, abnormal, 1 - abnormal, 5.0) == pytest.approx(
        ((5 - 5) + (5 - 4) + (5 - 6) * 0 + (5 - 5)) / 4
    )
    assert outlier_margin(energy, 0 * abnormal, 1 - abnormal, 4.0) == 0


def test_videos_of_another_width_and_foreign_weights_are_refused() -> None:
    other = replace(CLAP, inputs=WIDTH + 1)
    with pytest.raises(TrainingError, match="features"):
        distil(other, begun(other), heard(CLAP), QUICK, seed=0)
    with pytest.raises(ModelError):
        distil(CLAP, begun(other), heard(CLAP), QUICK, seed=0)


def test_a_loss_without_end_is_said() -> None:
    with pytest.raises(TrainingError, match="learning_rate"):
        distil(DENSITY, begun(DENSITY), heard(DENSITY), replace(QUICK, learning_rate=1e30), seed=0)
