import contextlib

import numpy as np
import pytest
import torch

from edge.errors import TrainingError
from export.words.course import Plan, train

PLAN = Plan(steps=120, batch=4, learning_rate=0.05)


class StoppedError(Exception):
    pass


def learner():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))


def fit(tmp_path, *, plan=PLAN, stop_at=None, task="task"):
    """Learn to turn (a, b) round; interrupted after some steps if told so."""
    module = learner()

    def loss(rng):
        x = torch.from_numpy(rng.normal(size=(plan.batch, 2)).astype(np.float32))
        return ((module(x) - x.flip(1)) ** 2).mean()

    def told(step, _):
        heard.append(step)
        if step == stop_at:
            raise StoppedError

    heard: list[int] = []
    path = tmp_path / "checkpoint"
    value = None
    with contextlib.suppress(StoppedError):
        value = train(module, loss, plan, task=task, checkpoint=path, told=told)
    return module, value, heard


def test_training_brings_the_loss_down(tmp_path):
    _, before, _ = fit(tmp_path / "a", plan=Plan(steps=1, batch=64, learning_rate=0.05))
    _, after, heard = fit(tmp_path / "b", plan=Plan(steps=200, batch=64, learning_rate=0.05))
    assert after < before / 2
    assert heard == [50, 100, 150, 200]


def test_an_interrupted_training_ends_as_if_nothing_had_happened(tmp_path):
    whole, loss, _ = fit(tmp_path / "whole")
    fit(tmp_path / "parts", stop_at=50)
    resumed, again, heard = fit(tmp_path / "parts")
    assert heard == [100, 120]
    assert again == loss
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_another_task_begins_anew(tmp_path):
    fit(tmp_path)
    _, _, heard = fit(tmp_path, task="another")
    assert heard[0] == 50


def test_a_loss_that_is_no_number_is_told(tmp_path):
    module = learner()
    with pytest.raises(TrainingError, match="step 0"):
        train(module, lambda _: module[0].weight.sum() * float("nan"), PLAN, task="task")


def test_the_learning_rate_warms_up_and_falls():
    plan = Plan(steps=100, batch=1, learning_rate=1.0)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[0] < rates[4] <= max(rates) == pytest.approx(1, abs=0.01)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.01
