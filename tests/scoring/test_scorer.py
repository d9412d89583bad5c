"""A camera learns walkers and meets a runner; with the store that keeps what it learnt."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edge.domain.features import SCENE, Feature, Features, FeatureSpec
from edge.errors import FeatureVersionError, ModelError, NotLearntError, StorageError
from edge.scoring.footage import BLOCK_FRAMES, NormalFootage, region_keys
from edge.scoring.learn import learn_camera
from edge.scoring.model import CameraModel, ScoringOptions
from edge.scoring.scorer import CameraScorer
from edge.scoring.store import load_camera_model, save_camera_model

WIDTH, HEIGHT = 640, 360
GAIT = FeatureSpec("gait", 1, (Feature("speed", "heights/s", 0.1, True), Feature("sway", "")))
CELLS = FeatureSpec("cells", 1, (Feature("energy", ""),))


def gait(speed: list[float], track_id: list[int], sway: float = 0.1) -> Features:
    n = len(speed)
    boxes = np.array([[100 + 90 * k, 100, 140 + 90 * k, 200] for k in range(n)], np.float32)
    values = np.array([[v, sway] for v in speed], np.float32).reshape(n, 2)
    return Features(GAIT, np.array(track_id, np.int64), np.zeros(n, np.int32), boxes, values)


def cells(energy: list[float]) -> Features:
    n = len(energy)
    boxes = np.array([[40 * k, 0, 40 * k + 40, 40] for k in range(n)], np.float32)
    scene = np.full(n, SCENE, np.int64)
    return Features(
        CELLS, scene, np.zeros(n, np.int32), boxes, np.array(energy, np.float32)[:, None]
    )


def footage(frames: int = 1500, seed: int = 0, *, with_cells: bool = False) -> NormalFootage:
    rng = np.random.default_rng(seed)
    collected = NormalFootage()
    for k in range(frames):
        track = k // 40
        groups = [gait([rng.normal(1.0, 0.15), rng.normal(1.2, 0.15)], [track, 5000 + track])]
        if with_cells:
            groups.append(cells(rng.normal(5, 1, 3).tolist()))
        collected.add(groups, time_s=k / 5, width=WIDTH, height=HEIGHT)
    return collected


def learn(**options: object) -> CameraModel:
    return learn_camera(
        footage(), camera="gate", alarms_per_day=2, created_s=0.0, options=ScoringOptions(**options)
    )


def observe(scorer: CameraScorer, *groups: Features, index: int):
    return scorer.observe(groups, index=index, time_s=index / 5, width=WIDTH, height=HEIGHT)


@pytest.fixture(scope="module")
def model() -> CameraModel:
    return learn()


@pytest.mark.parametrize("kind", ["neighbours", "kmeans"])
def test_a_runner_alarms_and_walkers_do_not(kind: str):
    learnt = learn(normality=kind, size=200)
    scorer = CameraScorer(learnt, labels=["person"])
    walkers = [observe(scorer, gait([1.0, 1.2], [1, 2]), index=k) for k in range(50)]
    runner = [observe(scorer, gait([1.0, 4.1], [1, 3]), index=k) for k in range(50, 70)]
    assert max(frame.score for frame in walkers) < learnt.threshold
    assert runner[-1].score > learnt.threshold


def test_the_reason_names_the_feature_and_what_is_usual(model: CameraModel):
    frame = observe(CameraScorer(model, labels=["person"]), gait([1.0, 4.1], [1, 3]), index=0)
    worst = frame.regions[0]
    assert (worst.track_id, worst.label, worst.reason.feature) == (3, "person", "speed")
    assert worst.reason.above
    assert worst.reason.value == pytest.approx(4.1)
    assert 1.3 < worst.reason.usual < 1.9
    assert str(worst.reason).startswith("speed 4.1 heights/s, usual ≤ 1.")


def test_regions_are_most_unusual_first(model: CameraModel):
    scorer = CameraScorer(model, labels=[])
    frame = observe(scorer, gait([1.0, 6.0, 2.5], [1, 2, 3]), index=0)
    assert [region.track_id for region in frame.regions] == [2, 3, 1]
    assert frame.score == frame.regions[0].score
    assert frame.regions[0].label == "object"


def test_an_empty_frame_has_a_fading_score_and_no_regions(model: CameraModel):
    scorer = CameraScorer(model, labels=[])
    before = observe(scorer, gait([6.0], [1]), index=0)
    after = observe(scorer, gait([], []), index=1)
    assert after.regions == ()
    assert 0 < after.score < before.score
    assert observe(scorer, index=200).score == pytest.approx(0, abs=1e-6)


def test_scores_are_causal(model: CameraModel):
    speeds = [1.0, 1.1, 5.0, 1.0, 0.9, 7.0]
    scorers = [CameraScorer(model, labels=[]) for _ in range(2)]
    whole = [observe(scorers[0], gait([v], [1]), index=k).score for k, v in enumerate(speeds)]
    start = [observe(scorers[1], gait([v], [1]), index=k).score for k, v in enumerate(speeds[:4])]
    assert whole[:4] == start


def test_scene_cells_are_regions_of_their_own():
    learnt = learn_camera(footage(with_cells=True), camera="gate", alarms_per_day=2, created_s=0.0)
    frame = observe(
        CameraScorer(learnt, labels=["person"]), gait([1.0], [1]), cells([5, 5, 60]), index=0
    )
    assert frame.regions[0].track_id is None
    assert frame.regions[0].label == "scene"
    assert frame.regions[0].box_xyxy == (80, 0, 120, 40)
    assert frame.regions[0].reason.feature == "energy"


def test_a_cell_is_known_by_its_box_not_by_its_row():
    every, last = cells([1, 2, 3]), cells([1, 2, 3])
    last = replace(
        last, **{k: getattr(last, k)[2:] for k in ("track_id", "class_id", "boxes_xyxy", "values")}
    )
    keys = region_keys(every)
    assert region_keys(last)[0] == keys[2]
    assert len(set(keys.tolist())) == 3
    assert (keys < 0).all()
    assert region_keys(gait([1.0, 1.0], [4, 9])).tolist() == [4, 9]


def test_an_anomaly_never_teaches():
    learnt = learn()
    scorer = CameraScorer(learnt, labels=[], adapt=True)
    prototypes = learnt.terms[0].normality.state()["prototypes"]
    for k in range(30):
        observe(scorer, gait([6.0], [1]), index=k)
    assert prototypes[:, 0].max() == learnt.terms[0].normality.state()["prototypes"][:, 0].max()
    assert observe(scorer, gait([6.0], [1]), index=31).score > learnt.threshold


def test_another_version_of_the_features_is_refused(model: CameraModel):
    other = replace(gait([1.0], [1]), spec=replace(GAIT, revision=2))
    with pytest.raises(FeatureVersionError, match=r"gate learnt gait-1-.*gait-2-"):
        observe(CameraScorer(model, labels=[]), other, index=0)


def test_too_little_footage_is_said_clearly():
    with pytest.raises(NotLearntError, match=r"gate.*only 20 segments"):
        learn_camera(footage(10), camera="gate", alarms_per_day=2, created_s=0.0)


def test_learnt_seconds_leave_holes_out():
    collected = NormalFootage()
    for start in (0.0, 1000.0):
        for k in range(11):
            collected.add([gait([1.0], [1])], time_s=start + k, width=WIDTH, height=HEIGHT)
    assert collected.seconds == 20


def test_footage_is_bounded_and_covers_the_whole_time():
    collected = NormalFootage(max_rows=3000)
    frames = 40 * BLOCK_FRAMES
    for k in range(frames):
        collected.add([gait([1.0], [1])], time_s=float(k), width=WIDTH, height=HEIGHT)
    assert len(collected.tables()[0].frame) <= 3000 + BLOCK_FRAMES
    assert collected.time_s[0] == 0
    assert collected.time_s[-1] == frames - 1
    gaps = np.diff(collected.time_s)
    assert gaps.max() <= 8 * BLOCK_FRAMES


@pytest.fixture
def stored(model: CameraModel, tmp_path: Path) -> Path:
    path = tmp_path / "models" / "gate.safetensors"
    save_camera_model(path, model)
    return path


def test_a_stored_model_scores_the_same(model: CameraModel, stored: Path):
    loaded = load_camera_model(stored, [GAIT, CELLS])
    frames = [
        observe(CameraScorer(m, labels=["person"]), gait([1.0, 4.0], [1, 2]), index=0)
        for m in (model, loaded)
    ]
    assert frames[0].regions[0].score == pytest.approx(frames[1].regions[0].score, rel=1e-5)
    assert (loaded.budget, loaded.options) == (model.budget, model.options)
    assert list(stored.parent.iterdir()) == [stored]


def test_a_model_of_other_features_is_refused(stored: Path):
    with pytest.raises(FeatureVersionError, match="learn the camera anew"):
        load_camera_model(stored, [replace(GAIT, revision=2)])


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_file_is_refused(stored: Path, keep: int):
    stored.write_bytes(stored.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"gate\.safetensors: damaged"):
        load_camera_model(stored, [GAIT])


def test_foreign_missing_and_poisoned_files_are_refused(stored: Path, model: CameraModel):
    with pytest.raises(ModelError, match="learn the camera first"):
        load_camera_model(stored.with_name("none.safetensors"), [GAIT])
    arrays = load_file(stored)
    save_file(arrays, stored)
    with pytest.raises(ModelError, match="not a camera model"):
        load_camera_model(stored, [GAIT])
    poisoned = replace(model, evidence=replace(model.evidence, scale=float("nan")))
    save_camera_model(stored, poisoned)
    with pytest.raises(ModelError, match="not finite"):
        load_camera_model(stored, [GAIT])


def test_a_folder_that_cannot_be_written_is_said(model: CameraModel, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        save_camera_model(tmp_path / "file" / "gate.safetensors", model)
