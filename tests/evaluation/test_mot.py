import motmetrics
import numpy as np
import pytest

from edge.domain.boxes import iou
from edge.errors import DatasetError
from edge.evaluation.mot import Truth, compare, evaluate_mot, read_rows
from edge.perception.tracker import Tracker


def one_box(identity, x, *, y=0.0):
    return Truth(np.array([identity]), np.array([[x, y, x + 10, y + 20]], np.float32))


def empty():
    return Truth(np.zeros(0, np.int64), np.zeros((0, 4), np.float32))


def walk(identity, frames):
    return [one_box(identity, 5.0 * frame) for frame in range(frames)]


def reference(objects, tracks):
    """MOTA and IDF1 by the library that MOTChallenge's figures are usually computed with."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for truth, found in zip(objects, tracks, strict=True):
        overlap = iou(truth.boxes_xyxy, found.boxes_xyxy).astype(float)
        distance = np.where(overlap >= 0.5, 1 - overlap, np.nan)
        accumulator.update(truth.ids.tolist(), found.ids.tolist(), distance)
    summary = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1"])
    return summary["mota"].iloc[0], summary["idf1"].iloc[0]


def test_the_truth_itself_is_perfect():
    figures = compare(walk(1, 10), walk(7, 10))
    assert (figures.mota, figures.idf1, figures.switches) == (1.0, 1.0, 0)


def test_a_new_id_halfway_costs_one_switch_and_half_of_the_identity():
    tracks = walk(7, 10)[:5] + walk(8, 10)[5:]
    figures = compare(walk(1, 10), tracks)
    assert figures.switches == 1
    assert figures.mota == pytest.approx(0.9)
    assert figures.idf1 == pytest.approx(0.5)


def test_misses_and_false_positives_are_counted():
    figures = compare([*walk(1, 3), empty()], [empty(), *walk(7, 3)[1:], one_box(9, 0)])
    assert (figures.misses, figures.false_positives) == (1, 1)


def test_no_objects_and_no_tracks_do_not_divide_by_zero():
    assert compare([empty()], [empty()]).objects == 0


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_motmetrics_on_random_walks(seed: int):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 60, (6, 2))
    objects, tracks = [], []
    for frame in range(30):
        low = start + frame * rng.normal(1, 0.05, (6, 2))
        boxes = np.hstack([low, low + np.array([12, 30])]).astype(np.float32)
        objects.append(Truth(np.arange(6), boxes))
        seen = rng.uniform(size=6) > 0.15
        names = np.where(rng.uniform(size=6) < 0.05, 10 + frame, np.arange(6) % 5 + frame // 11)
        _, first = np.unique(names, return_index=True)
        keep = np.intersect1d(np.nonzero(seen)[0], first)
        shaken = boxes + rng.normal(0, 1.5, boxes.shape).astype(np.float32)
        tracks.append(Truth(names[keep], shaken[keep]))
    figures = compare(objects, tracks)
    assert (figures.mota, figures.idf1) == pytest.approx(reference(objects, tracks), abs=1e-6)


def test_agrees_with_motmetrics_on_real_tracks(vad_data):
    root = vad_data / "data" / "mot" / "TUD-Campus"
    tracks = []
    tracker = Tracker()

    def follow(found, time_s):
        followed = tracker.update(found, time_s)
        tracks.append(Truth(followed.track_id, followed.boxes_xyxy))
        return followed

    figures = evaluate_mot(root, follow)
    rows = read_rows(root / "gt.txt")
    objects = []
    for frame in range(1, len(tracks) + 1):
        here = rows[rows[:, 0] == frame]
        boxes = np.concatenate([here[:, 2:4], here[:, 2:4] + here[:, 4:6]], axis=1)
        objects.append(Truth(here[:, 1].astype(np.int64), boxes.astype(np.float32)))
    assert (figures.mota, figures.idf1) == pytest.approx(reference(objects, tracks), abs=1e-6)
    assert figures.mota > 0.6


@pytest.mark.parametrize("text", ["", "1,2,3\n", "a,b,c,d,e,f,g\n", None])
def test_other_files_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "gt.txt").write_text(text)
    with pytest.raises(DatasetError, match=r"gt\.txt: .*expected det\.txt and gt\.txt"):
        evaluate_mot(tmp_path, Tracker().update)
