from dataclasses import replace

import numpy as np
import pytest

from edge.domain.weights import added
from edge.errors import TrainingError
from edge.federation.terms import terms_of
from edge.federation.trainer import REFRESH_S, HostTrainer
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.training.fit import train_locally
from edge.training.labelling import LabelOptions
from edge.training.local_round import CONTROL
from edge.training.plan import LocalPlan
from edge.training.teaching import NormalTeacher, PseudoLabels
from edge.wire.rounds import Announcement, Component, Phase, Settings

SPEC = StudentSpec("density", 3, hidden=8)
CLAP = StudentSpec("clap", 3, hidden=8, dropout=0.0)
MODEL = weights_of(make_student(SPEC, seed=1))
ROWS = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


class School:
    """Counts how often the footage is read."""

    def __init__(self, make):
        self.make = make
        self.read = 0

    def __call__(self, terms):
        self.read += 1
        return self.make()


def announced(number=1, *, spec=SPEC, mixture=(), rule=None, **plan):
    settings = Settings(
        student=spec.as_json(),
        spec_versions=("rows-1",),
        plan={"epochs": 2, "batch_rows": 16, **plan},
        rule=rule or {},
        compression="fp32",
    )
    blob = {"id": "0" * 64, "size_bytes": 1, "chunk_bytes": 1}
    return Announcement.model_validate(
        {
            "run": "r",
            "round": number,
            "phase": Phase.UPDATES,
            "deadline_s": 1.0,
            "model": blob,
            "fingerprint": "f",
            "settings": settings,
            "mixture": mixture,
        }
    )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(tmp_path, clock):
    def make_one(school=lambda terms: NormalTeacher(ROWS), *, stopped=False):
        return HostTrainer(
            "door", school, folder=tmp_path, should_stop=lambda: stopped, now_s=clock
        )

    return make_one


def is_close(found, expected):
    return all(np.allclose(found[name], expected[name], atol=1e-7) for name in expected)


def test_model_plus_delta_is_what_was_trained(make):
    delta, num_examples = make().train(announced(), MODEL)
    assert num_examples == len(ROWS)
    assert delta.keys() == MODEL.keys()
    assert any(array.any() for array in delta.values())
    again, _ = make().train(announced(), MODEL)
    assert is_close(again, delta)
    other, _ = make().train(announced(2), MODEL)
    assert not is_close(other, delta)  # each round draws its own noise


def test_what_a_strategy_leaves_here_stays_here_over_restarts(make):
    rule = {"keep_local": ["*norm*"]}
    delta, _ = make().train(announced(rule=rule), MODEL)
    kept = {name for name in MODEL if "norm" in name}
    assert delta.keys() == MODEL.keys() - kept
    _, before = make().personalised(announced(2, rule=rule, learning_rate=1e-30), MODEL)
    assert not is_close(before.weights, {name: MODEL[name] for name in kept})
    _, plain = make().personalised(announced(2, learning_rate=1e-30), MODEL)
    assert is_close(plain.weights, MODEL)  # another strategy shares everything


def test_scaffold_moves_the_control_by_what_was_trained(make):
    plan = LocalPlan(epochs=2, batch_rows=16, learning_rate=0.01)
    zero = {CONTROL + name: np.zeros_like(array) for name, array in MODEL.items()}
    first = announced(rule={"control_variates": True}, learning_rate=plan.learning_rate)
    delta, _ = make().train(first, {**MODEL, **zero})
    steps = plan.epochs * 3  # batches of 40 rows
    for name in MODEL:
        expected = -delta[name] / (steps * plan.learning_rate)
        np.testing.assert_allclose(delta[CONTROL + name], expected, rtol=1e-4, atol=1e-5)
    second, _ = make().train(first, {**MODEL, **zero})  # it remembers its own control
    assert not is_close(second, delta)


def test_statistics_are_those_of_the_videos_held_for_normal(make):
    rng = np.random.default_rng(2)
    videos = [rng.standard_normal((12, 3)).astype(np.float32) for _ in range(6)]
    made = [PseudoLabels(videos, LabelOptions(kind="excess")) for _ in range(2)]
    school = School(lambda: made[0])
    found = make(school).statistics(announced(spec=CLAP))
    own = made[1].statistics()
    assert (found.mean, found.variance) == (own.mean, own.variance)
    assert found.num_segments == own.num_segments
    assert make().statistics(announced()) is None  # normal footage alone has nothing to tell


class Listener(NormalTeacher):
    """Remembers what it was told."""

    def __init__(self):
        super().__init__(ROWS)
        self.heard = []

    def hear(self, mixture):
        self.heard.append(list(mixture))


def test_the_mixture_is_heard_once_and_the_footage_read_once_an_hour(make, clock):
    teachers = []

    def school(terms):
        teachers.append(Listener())
        return teachers[-1]

    trainer = make(school)
    mixture = (Component(mean=1.0, variance=2.0, num_segments=3),)
    for number in (1, 2, 3):
        trainer.train(announced(number, mixture=mixture), MODEL)
    (teacher,) = teachers
    ((gaussian,),) = teacher.heard
    assert (gaussian.mean, gaussian.variance, gaussian.num_segments) == (1.0, 2.0, 3)
    clock.now_s += REFRESH_S + 1
    trainer.train(announced(4, mixture=mixture), MODEL)
    assert len(teachers) == 2


def test_personal_is_one_epoch_more_from_the_federations_model(make):
    terms, tuned = make().personalised(announced(5), MODEL)
    plan = replace(terms.plan, epochs=1, decay="cosine")
    lesson = NormalTeacher(ROWS).lesson()
    assert tuned.steps == 3
    expected = train_locally(terms.spec, MODEL, lesson, plan, seed=0)
    assert tuned.num_examples == expected.num_examples
    assert not is_close(tuned.weights, MODEL)


def test_a_stopped_training_is_no_update(make):
    with pytest.raises(TrainingError, match="stopped"):
        make(stopped=True).train(announced(), MODEL)


@pytest.mark.parametrize(
    "changes",
    [
        {"student": {"head": "giant"}},
        {"plan": {"epochs": 0}},
        {"plan": {"epochs": "many"}},
        {"plan": {"warp": 9}},
        {"rule": {"keep_local": 3}},
    ],
)
def test_what_a_round_asks_is_checked(changes):
    settings = announced().settings.model_copy(update=changes)
    with pytest.raises(TrainingError, match=r"round|plan"):
        terms_of(settings)


def test_a_trained_round_can_be_added_to_the_model(make):
    delta, _ = make().train(announced(learning_rate=1e-30), MODEL)
    assert is_close(added(MODEL, delta), MODEL)
