import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluation.figures import (
    ClipScores,
    average_precision,
    equal_error_rate,
    event_figures,
    macro_auc,
    micro_auc,
    roc_auc,
    smoothed,
    stretches,
)

frames = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40)


def split(pairs: list[tuple[bool, int]]):
    labels, scores = zip(*pairs, strict=True)
    return np.array(labels, bool), np.array(scores, np.float64)


def clip(labels: str, scores: str) -> ClipScores:
    return ClipScores(
        np.array([c == "1" for c in labels]), np.array([float(c) for c in scores], np.float64)
    )


@given(frames)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    labels, scores = split(pairs)
    abnormal, normal = scores[labels], scores[~labels]
    if not len(abnormal) or not len(normal):
        assert np.isnan(roc_auc(labels, scores))
        return
    above = (abnormal[:, None] > normal).sum() + 0.5 * (abnormal[:, None] == normal).sum()
    assert roc_auc(labels, scores) == pytest.approx(above / (len(abnormal) * len(normal)))


@given(frames)
def test_average_precision_is_the_sum_over_distinct_thresholds(pairs):
    labels, scores = split(pairs)
    if not labels.any():
        assert np.isnan(average_precision(labels, scores))
        return
    expected = recall_before = 0.0
    for threshold in sorted(set(scores), reverse=True):
        raised = scores >= threshold
        recall = labels[raised].sum() / labels.sum()
        expected += (recall - recall_before) * labels[raised].mean()
        recall_before = recall
    assert average_precision(labels, scores) == pytest.approx(expected)


@given(frames)
def test_equal_error_rate_lies_between_perfect_and_inverted(pairs):
    labels, scores = split(pairs)
    if labels.all() or not labels.any():
        assert np.isnan(equal_error_rate(labels, scores))
    else:
        assert 0 <= equal_error_rate(labels, scores) <= 1


@pytest.mark.parametrize(
    ("labels", "scores", "rate"), [("0011", "1289", 0), ("1100", "1289", 1), ("0101", "1133", 0.5)]
)
def test_equal_error_rate_of_known_cases(labels: str, scores: str, rate: float):
    case = clip(labels, scores)
    assert equal_error_rate(case.labels, case.scores) == pytest.approx(rate)


def test_micro_pools_and_macro_averages():
    clips = [clip("0011", "0011"), clip("0011", "5566")]
    assert micro_auc(clips) == pytest.approx(0.75)
    assert macro_auc(clips) == 1.0


def test_macro_gives_a_one_class_clip_one_frame_of_each_class():
    assert macro_auc([clip("1111", "1234")]) == 1.0
    assert macro_auc([clip("0000", "1234")]) == 1.0


def test_smoothing_looks_ahead_and_scales_each_clip():
    wave = smoothed(ClipScores(np.zeros(90, bool), np.eye(90)[45] * 7), hz=10)
    assert wave.scores.max() == 1
    assert wave.scores[40] > 0.5  # half a second before it happened
    assert len(wave.scores) == 90
    flat = smoothed(ClipScores(np.zeros(3, bool), np.full(3, 4.0)), hz=10)
    assert flat.scores.tolist() == [0, 0, 0]


def test_stretches_merge_what_is_close():
    on = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert stretches(on, merge=1) == [(1, 3), (4, 5), (8, 9)]
    assert stretches(on, merge=2) == [(1, 5), (8, 9)]
    assert stretches(np.zeros(4, bool), merge=1) == []


def test_events_alarms_and_delay():
    clips = [clip("0001111000", "9000099000"), clip("0011000000", "0000000000")]
    got = event_figures(clips, [5, 5], hz=1, merge_s=1)
    assert (got.events, got.alarms) == (2, 2)
    assert got.precision == 0.5
    assert got.recall == 0.5
    assert got.delay_s == 2
    assert got.false_alarms_per_hour == pytest.approx(3600 / 14)


def test_events_without_any_alarm_have_no_precision():
    got = event_figures([clip("01", "00")], [5], hz=1)
    assert np.isnan(got.precision)
    assert got.recall == 0
    assert got.false_alarms_per_hour == 0
