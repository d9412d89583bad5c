from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from edge.errors import TrainingError
from export.imitate.fidelity import fidelity
from export.imitate.finish import make_graph, measure
from export.imitate.lessons import Lesson, taught
from export.imitate.network import Imitator
from export.imitate.train import Apprenticeship, Plan
from tests.fakes.backbones import tiny_spec

SPEC = tiny_spec(width=6, size_px=32)
PLAN = Plan(epochs=4, batch=16)


def lesson(teacher, count, seed):
    """Plain pictures with a little noise."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (count, 1, 1, 3))
    noise = rng.integers(-20, 20, (count, 16, 12, 3))
    return taught(list(np.clip(colours + noise, 0, 255).astype(np.uint8)), teacher)


@pytest.fixture(scope="module")
def learnt(teacher):
    return lesson(teacher, 96, 0)


@pytest.fixture(scope="module")
def judged(teacher):
    return lesson(teacher, 32, 1)


def beginner(lesson):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 16, 4, 4), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
        backbone = nn.Sequential(*layers, nn.Flatten())
        mean, spread = lesson.embeddings.mean(axis=0), lesson.embeddings.std(axis=0)
        return Imitator(backbone, size_px=32, mean=mean, spread=spread)


def reached(imitator, judged, learnt):
    mean = learnt.embeddings.mean(axis=0)
    return measure(make_graph(imitator, SPEC, learnt), SPEC, judged, mean)


def weights(imitator):
    return {name: tensor.numpy().copy() for name, tensor in imitator.state_dict().items()}


def trained(lesson, plan, path, *, stop_after=None):
    class KilledError(BaseException):
        pass

    imitator = beginner(lesson)
    course = Apprenticeship(imitator, SPEC, lesson, plan)

    def on_epoch(_loss):
        if course.epoch == stop_after:
            raise KilledError

    try:
        course.run(path, on_epoch=on_epoch)
    except KilledError:
        return None
    return imitator


def test_it_comes_to_agree_with_the_teacher_on_pictures_it_never_saw(learnt, judged, tmp_path):
    before = reached(beginner(learnt), judged, learnt)
    after = reached(
        trained(learnt, replace(PLAN, epochs=20, learning_rate=0.02), tmp_path / "c"),
        judged,
        learnt,
    )
    assert after.explained > 0.6 > 0.3 > before.explained
    assert after.cosine > max(before.cosine, after.cosine_of_mean)


def test_after_a_kill_it_ends_as_if_nothing_had_happened(learnt, tmp_path):
    whole = trained(learnt, PLAN, tmp_path / "whole")
    assert trained(learnt, PLAN, tmp_path / "killed", stop_after=2) is None
    resumed = weights(trained(learnt, PLAN, tmp_path / "killed"))
    assert all(np.array_equal(array, resumed[name]) for name, array in weights(whole).items())


def test_a_checkpoint_of_another_plan_is_not_resumed(learnt, tmp_path):
    path = tmp_path / "c"
    trained(learnt, replace(PLAN, seed=1), path)
    fresh = weights(trained(learnt, PLAN, tmp_path / "fresh"))
    begun_anew = weights(trained(learnt, PLAN, path))
    assert all(np.array_equal(array, begun_anew[name]) for name, array in fresh.items())


def test_embeddings_that_are_no_numbers_end_in_words(learnt, tmp_path):
    wrong = Lesson(learnt.pictures, np.full_like(learnt.embeddings, np.nan))
    course = Apprenticeship(beginner(learnt), SPEC, wrong, PLAN)
    with pytest.raises(TrainingError, match="diverged in epoch 1"):
        course.run(tmp_path / "c", on_epoch=lambda loss: None)


def test_the_rate_warms_up_and_falls_to_nothing():
    plan = Plan(warm_up=0.1)
    rates = [plan.rate(progress) for progress in np.linspace(0, 1, 101)]
    top = int(np.argmax(rates))
    assert top == 10
    assert max(rates) == plan.learning_rate
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == pytest.approx(0)


def test_the_graph_and_the_network_agree_with_the_teacher_alike(learnt, judged, tmp_path):
    imitator = trained(learnt, PLAN, tmp_path / "c")
    inputs = np.stack([SPEC.prepare(picture) for picture in judged.pictures])
    with torch.inference_mode():
        found = imitator(torch.from_numpy(inputs)).numpy()
    own = fidelity(found, judged.embeddings, learnt.embeddings.mean(axis=0))
    assert reached(imitator, judged, learnt).cosine == pytest.approx(own.cosine, abs=1e-5)
