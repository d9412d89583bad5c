import json
import threading
import time
from typing import NamedTuple

import numpy as np
import pytest

from aggregator.first_model import read_first_model
from edge.compose import learning_path, make_generations, outcome_path, store_path
from edge.config import EdgeConfig, StoreSection
from edge.errors import ConfigError, NotLearntError, StorageError
from edge.features import kinematics
from edge.host_footage import read_footage, running_models
from edge.learn import first_model, learn_alone
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.training import fit
from edge.training.outcome import load_outcome
from edge.training.store import FeatureStore
from tests.fakes.footage import feed

CLIP_FRAMES = 160
CLIPS = 4
AFTER_ALL = 5 * 3_000_000_000  # a frame of the year 2065


class EvenStore(FeatureStore):
    """All clips have the same length."""

    clip_frames = CLIP_FRAMES

    def _length(self, camera):
        return self.clip_frames


def make_config(folder, *cameras, **student):
    return EdgeConfig.model_validate(
        {
            "host": "h",
            "data_dir": folder,
            "mqtt": {"enabled": False},
            "learning": {
                "student": {"steps": 20, "hidden": 16, "tried_on_s": 10, **student},
            },
            "cameras": {name: {"source": "clip.mkv"} for name in cameras},
        }
    )


def fill(config, *cameras, clips=CLIPS, clip_frames=CLIP_FRAMES, start=0, score=None):
    keeper = EvenStore(store_path(config), max_age_s=1e12, max_bytes=10**9, now_s=lambda: 2000.0)
    keeper.clip_frames = clip_frames
    keeper.start()
    for camera in cameras:
        feed(keeper, clips * clip_frames, camera=camera, start=start, score=score)
    keeper.close()


def learn(config, *, stop=None, on_progress=lambda share, loss: None):
    return learn_alone(config, stop=stop or threading.Event(), on_progress=on_progress)


@pytest.fixture
def config(tmp_path):
    config = make_config(tmp_path, "door", "yard")
    fill(config, "door")
    return config


def weights_in_force(config):
    generations = make_generations(config)
    return generations.load(generations.current().version).artifact.weights


def test_a_student_is_trained_tried_and_adopted(config):
    shares = []
    report = learn(config, on_progress=lambda share, _loss: shares.append(share))
    assert report.adopted, report.reason
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    generations = make_generations(config)
    assert generations.current().version == report.generation
    loaded = generations.load(report.generation)
    assert set(loaded.models) == {"door"}
    assert loaded.artifact.provenance["host"] == "h"
    assert load_outcome(outcome_path(config)).result == "adopted"
    (trial,) = report.trials
    assert trial["footage_s"] == pytest.approx((CLIP_FRAMES - 1) / 5)  # the latest clip


def test_cameras_without_footage_are_named_and_the_others_learn(config):
    report = learn(config)
    assert list(report.left_out) == ["yard"]
    assert "camera yard: 0 stored clips" in report.text


def test_too_little_to_be_tried_on_is_a_refusal_with_its_reason(tmp_path):
    config = make_config(tmp_path, "door", tried_on_s=600)
    fill(config, "door")
    report = learn(config)
    assert not report.adopted
    assert "600 s can" in report.reason
    assert make_generations(config).current().version is None
    assert load_outcome(outcome_path(config)).result == "refused"


def test_no_footage_is_an_error_that_says_what_to_do(tmp_path):
    config = make_config(tmp_path, "door")
    with pytest.raises(NotLearntError, match="let vad-edge run watch"):
        learn(config)
    assert load_outcome(outcome_path(config)).result == "failed"
    assert not (learning_path(config) / "session").exists()


def test_what_keeps_footage_from_coming_is_told(tmp_path):
    config = make_config(tmp_path, "door")
    off = config.learning.model_copy(update={"store": StoreSection(enabled=False)})
    with pytest.raises(NotLearntError, match=r"learning\.store\.enabled: false"):
        learn(config.model_copy(update={"learning": off}))
    dark = {
        name: each.model_copy(update={"enabled": False}) for name, each in config.cameras.items()
    }
    with pytest.raises(ConfigError, match="no camera is enabled"):
        learn(config.model_copy(update={"cameras": dark}))


def test_clap_says_so_where_nothing_stands_out(tmp_path):
    config = make_config(tmp_path, "door", head="clap")
    fill(config, "door", clip_frames=320)  # three clips that teach: too few to be told apart
    with pytest.raises(NotLearntError, match="use head: density"):
        learn(config)


@pytest.mark.parametrize("head", ["clap", "temporal"])
def test_heads_that_look_at_scenes_are_adopted_too(tmp_path, head):
    config = make_config(tmp_path, "door", head=head)
    fill(config, "door", clips=8)
    report = learn(config)
    assert report.generation or "alarms in" in report.reason  # of noise anything may be said
    assert report.trials[0]["footage_s"] > 0


@pytest.mark.parametrize("in_hand", [False, True])
def test_what_was_stopped_goes_on_and_ends_as_if_it_had_not_been(config, monkeypatch, in_hand):
    monkeypatch.setattr("edge.training.study.CHECKPOINT_EVERY_S", 0.0)
    learn(config)
    expected = weights_in_force(config)
    stop = threading.Event()
    epochs = []

    def halfway(share, loss):
        epochs.append(share)
        if share >= 0.5:
            stop.set()

    assert learn(config, stop=stop, on_progress=halfway) is None
    # the store goes on growing: the clip in hand was begun before the training, and ends after it
    began_s = json.loads((learning_path(config) / "session" / "session.json").read_text())
    start = round((began_s["until_s"] - 10 - 1000) * 5) if in_hand else AFTER_ALL
    fill(config, "door", clips=1, start=start)
    resumed = []
    assert learn(config, on_progress=lambda share, loss: resumed.append(share)).adopted
    assert resumed[0] > epochs[-1]
    found = weights_in_force(config)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_full_disk_costs_no_training(config, monkeypatch):
    monkeypatch.setattr("edge.training.study.CHECKPOINT_EVERY_S", 0.0)
    save, kept = fit.save_checkpoint, []

    def fill_up(path, checkpoint):
        if len(kept) == 2:
            raise StorageError("cannot write it: No space left on device")
        kept.append(checkpoint.epoch)
        save(path, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(fit, "save_checkpoint", fill_up)
        with pytest.raises(StorageError, match="No space"):
            learn(config)
    resumed = []
    assert learn(config, on_progress=lambda share, loss: resumed.append(share)).adopted
    epochs = len(resumed) + len(kept)
    assert resumed[0] == pytest.approx(3 / epochs)


class Model(NamedTuple):
    threshold: float
    created_s: float


def test_no_model_that_judged_calls_what_teaches_an_alarm(config, monkeypatch):
    models = ({"door": Model(5.0, 1.0)}, {"door": Model(3.0, 2.0)})
    fill(config, "door", clips=1, start=10_000, score=4.0)  # the generation raised, the own did not
    monkeypatch.setattr("edge.host_footage._own_models", lambda _config: models[0])
    monkeypatch.setattr("edge.host_footage._given_models", lambda _generations: models[1])
    (material,) = read_footage(config, "density", until_s=time.time()).materials
    assert len(material.dealt.taught) + len(material.dealt.held_out) == CLIPS


def test_candidates_are_compared_with_what_judges(config, monkeypatch):
    own = {"door": Model(5.0, 2.0), "yard": Model(5.0, 2.0)}
    given = {"door": Model(3.0, 1.0), "yard": Model(3.0, 3.0), "gone": Model(3.0, 3.0)}
    monkeypatch.setattr("edge.host_footage._own_models", lambda _config: own)
    monkeypatch.setattr("edge.host_footage._given_models", lambda _generations: given)
    running = running_models(config, make_generations(config))
    assert running == {"door": own["door"], "yard": given["yard"]}


class Killed(BaseException):
    """Nothing is cleaned up behind it, as after kill -9."""


def test_what_was_killed_ends_as_if_it_had_not_been(config, monkeypatch):
    monkeypatch.setattr("edge.training.study.CHECKPOINT_EVERY_S", 0.0)
    learn(config)
    expected = weights_in_force(config)

    def die(share, loss):
        if share >= 0.5:
            raise Killed

    with pytest.raises(Killed):
        learn(config, on_progress=die)
    resumed = []
    learn(config, on_progress=lambda share, loss: resumed.append(share))
    assert resumed[0] > 0.5
    found = weights_in_force(config)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_the_first_model_of_a_federation_is_what_the_aggregator_reads(tmp_path):
    path = tmp_path / "first.safetensors"
    figures = first_model(path, "density", hidden=16)
    model = read_first_model(path)
    assert model.spec_versions == (kinematics.SPEC.spec_version,)
    assert not model.needs_mixture
    assert figures["parameters"] == sum(array.size for array in model.weights.values())
    spec = StudentSpec.from_json(model.student)
    made = weights_of(make_student(spec, seed=0))
    assert made.keys() == model.weights.keys()
    assert json.dumps(figures)
