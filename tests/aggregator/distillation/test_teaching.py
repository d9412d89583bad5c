from dataclasses import replace

import numpy as np
import pytest
import torch

from aggregator.distillation.options import TeacherOptions
from aggregator.distillation.teacher import Teacher
from aggregator.distillation.teaching import teach
from edge.errors import ConfigError, TrainingError
from tests.aggregator.distillation.public_sets import QUICK_TEACHER, WIDTH, WORDS, some


def learnt(videos, *, captions=True, seed=0, **changed):
    return teach(videos, replace(QUICK_TEACHER, **changed), captions=captions, seed=seed)


def test_video_labels_tell_it_which_segments_are_abnormal() -> None:
    videos = some(12, 12)
    knowledge = learnt(videos)
    scores = np.concatenate(knowledge.abnormal[12:]).reshape(12, -1)
    assert scores[:, :4].mean() > 2 * scores[:, 4:].mean()
    assert np.concatenate(knowledge.abnormal[:12]).mean() < scores[:, :4].mean()


def test_what_it_says_is_in_range_and_of_unit_spread() -> None:
    knowledge = learnt(some())
    assert all(((each >= 0) & (each <= 1)).all() for each in knowledge.abnormal)
    spread = np.concatenate(knowledge.z).std(axis=0)
    assert np.all(np.isclose(spread, 1, atol=1e-3) | (spread == 0))
    assert (spread > 0).any()


def test_equal_seeds_give_equal_knowledge_and_disturb_no_other_draw() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    one, other = learnt(some(), epochs=2), learnt(some(), epochs=2)
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(np.concatenate(one.z), np.concatenate(other.z))
    different = learnt(some(), epochs=2, seed=1)
    assert not np.array_equal(np.concatenate(one.z), np.concatenate(different.z))


def test_captions_reach_z_only_where_they_are_read() -> None:
    videos = some()
    silent = tuple(replace(each, text=np.roll(each.text, 3)) for each in videos)
    rng = np.random.default_rng(0)
    other = tuple(replace(v, text=rng.random(WORDS, np.float32)) for v in silent)

    def z(videos, *, captions):
        return np.concatenate(learnt(videos, captions=captions, epochs=3).z)

    np.testing.assert_array_equal(z(videos, captions=False), z(other, captions=False))
    assert not np.allclose(z(videos, captions=True), z(other, captions=True))


def test_without_labels_of_both_kinds_it_learns_to_restore_segments() -> None:
    videos = some(8, 0)
    early, late = learnt(videos, epochs=1), learnt(videos, epochs=60)
    assert early.abnormal is None
    assert late.abnormal is None
    assert late.loss < early.loss
    assert [len(z) for z in late.z] == [len(video.values) for video in videos]


def test_videos_without_a_label_are_told_of_and_not_learnt_from() -> None:
    known = some()
    unlabelled = replace(known[-1], name="whose", abnormal=None)
    with_it, without = learnt((*known, unlabelled), epochs=2), learnt(known, epochs=2)
    assert with_it.loss == pytest.approx(without.loss, rel=0.2)
    assert len(with_it.abnormal) == len(known) + 1


def test_a_video_of_more_segments_than_it_sees_at_once_is_told_of_whole() -> None:
    videos = some(4, 4, segments=50)
    knowledge = learnt(videos, most_segments=16, epochs=2)
    assert all(each.shape == (50,) for each in knowledge.abnormal)
    assert all(np.abs(z).sum(axis=1).all() for z in knowledge.z)


def test_padding_has_no_part_in_any_other_segment() -> None:
    teacher = Teacher(WIDTH, WORDS, width=16, heads=2, dropout=0.5).eval()
    visual, text = torch.randn(1, 6, WIDTH), torch.randn(1, WORDS)
    present = torch.tensor([[True] * 4 + [False] * 2])
    logits, z = teacher(visual, text, present)
    alone = teacher(visual[:, :4], text, present[:, :4])
    torch.testing.assert_close(logits[:, :4], alone[0])
    torch.testing.assert_close(z[:, :4], alone[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        teacher.video_logits(z, present), teacher.video_logits(alone[1], present[:, :4])
    )


def test_features_that_are_not_finite_are_said() -> None:
    videos = some()
    broken = replace(videos[0], visual=np.full_like(videos[0].visual, np.inf))
    with np.errstate(invalid="ignore"), pytest.raises(TrainingError, match="features"):
        learnt((broken, *videos[1:]))


@pytest.mark.parametrize("wrong", [{"heads": 3}, {"epochs": 0}, {"top_share": 0.6}, {"noise": 0.0}])
def test_options_that_cannot_be_are_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        TeacherOptions(**wrong)
