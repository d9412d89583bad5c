from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError, TrainingError
from edge.model.spec import StudentSpec
from edge.training.lessons import ClapLesson, DensityLesson
from edge.training.plan import LocalPlan, new_control

pytest.importorskip("torch")
student_room = pytest.importorskip("edge.model.student")
fit = pytest.importorskip("edge.training.fit")
train_locally, predict = fit.train_locally, fit.predict

WIDTH = 4
SPECS = [
    StudentSpec("clap", WIDTH, hidden=16, dropout=0.3),
    StudentSpec("temporal", WIDTH, window=3, hidden=16, attention_heads=2, dropout=0.3),
    StudentSpec("density", WIDTH, hidden=32, noise=(0.3, 3.0)),
]
CLAP = SPECS[0]
every_head = pytest.mark.parametrize("spec", SPECS, ids=[spec.head for spec in SPECS])


def start(spec: StudentSpec, seed: int = 0) -> dict[str, np.ndarray]:
    return student_room.weights_of(student_room.make_student(spec, seed=seed))


def lesson(spec: StudentSpec, *, videos: int = 6, length: int = 20):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((videos, length, WIDTH)).astype(np.float32)
    if spec.head == "density":
        return DensityLesson(rows.reshape(-1, WIDTH))
    labels = rng.random((videos, length)) < 0.3
    rows[labels] += 3
    return ClapLesson(list(rows), list(labels.astype(np.float32)))


def same(a, b) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def distance(a, b) -> float:
    return float(sum(np.square(a[name] - b[name]).sum() for name in a)) ** 0.5


def full_batch(spec: StudentSpec, **changes) -> tuple[StudentSpec, LocalPlan]:
    """Plain gradient descent without any draw that matters."""
    plan = LocalPlan(batch_rows=10_000, learning_rate=0.05)
    return replace(spec, dropout=0.0), replace(plan, **changes)


@every_head
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_equal_seeds_train_equal_weights(spec: StudentSpec, optimiser: str):
    plan = LocalPlan(epochs=2, batch_rows=16, learning_rate=1e-3, optimiser=optimiser)
    one, two, other = (
        train_locally(spec, start(spec), lesson(spec), plan, seed=seed) for seed in (1, 1, 2)
    )
    assert same(one.weights, two.weights)
    assert one.loss == two.loss
    assert not same(one.weights, other.weights)
    assert one.complete
    assert one.num_examples == 120


@every_head
def test_training_disturbs_neither_its_start_nor_other_draws(spec: StudentSpec):
    torch = pytest.importorskip("torch")
    before, state = start(spec), torch.get_rng_state()
    given = {name: array.copy() for name, array in before.items()}
    train_locally(spec, before, lesson(spec), LocalPlan(learning_rate=1e-3), seed=1)
    assert same(before, given)
    assert torch.equal(state, torch.get_rng_state())


@every_head
def test_training_tells_strange_from_usual(spec: StudentSpec):
    plan = LocalPlan(epochs=40, batch_rows=60, learning_rate=3e-3, optimiser="adam")
    trained = train_locally(spec, start(spec), lesson(spec), plan, seed=0)
    rng = np.random.default_rng(1)
    usual = predict(spec, trained.weights, rng.standard_normal((1, 300, WIDTH)).astype("f"))[0]
    odd = predict(spec, trained.weights, rng.standard_normal((1, 300, WIDTH)).astype("f") + 4)[0]
    assert (odd[:, None] > usual[None]).mean() > 0.95, "area under the ROC curve"


class Killed(BaseException):
    """As sudden as kill -9, as far as the trainer can tell."""


@every_head
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("killed_after", [1, 2])
def test_killed_and_resumed_it_ends_as_if_nothing_had_happened(
    spec: StudentSpec, optimiser: str, killed_after: int, tmp_path: Path
):
    plan = LocalPlan(
        epochs=3,
        batch_rows=16,
        learning_rate=1e-3,
        optimiser=optimiser,
        momentum=0.9 if optimiser == "sgd" else 0.0,
    )
    args = (spec, start(spec), lesson(spec), plan)
    path = tmp_path / "training"

    def kill(progress) -> None:
        if progress.epoch == killed_after:
            raise Killed

    with pytest.raises(Killed):
        train_locally(*args, seed=1, progress=kill, checkpoint=path)
    done: list[int] = []
    resumed = train_locally(
        *args, seed=1, checkpoint=path, progress=lambda progress: done.append(progress.epoch)
    )
    straight = train_locally(*args, seed=1)
    assert done == list(range(killed_after + 1, 4))
    assert same(resumed.weights, straight.weights)
    assert (resumed.steps, resumed.loss) == (straight.steps, straight.loss)


def test_another_task_does_not_resume(tmp_path: Path):
    path, plan = tmp_path / "training", LocalPlan(epochs=2)
    train_locally(CLAP, start(CLAP), lesson(CLAP), plan, seed=1, checkpoint=path)
    for spec, weights, work, other, seed in [
        (CLAP, start(CLAP), lesson(CLAP), plan, 2),
        (CLAP, start(CLAP, 5), lesson(CLAP), plan, 1),
        (CLAP, start(CLAP), lesson(CLAP, videos=5), plan, 1),
        (CLAP, start(CLAP), lesson(CLAP), replace(plan, epochs=1), 1),
        (replace(CLAP, dropout=0.1), start(CLAP), lesson(CLAP), plan, 1),
    ]:
        done: list[int] = []
        train_locally(
            spec,
            weights,
            work,
            other,
            seed=seed,
            checkpoint=path,
            progress=lambda progress, done=done: done.append(progress.epoch),
        )
        assert done[0] == 1


def test_a_finished_course_is_not_repeated(tmp_path: Path):
    args = (CLAP, start(CLAP), lesson(CLAP), LocalPlan(epochs=2))
    first = train_locally(*args, seed=1, checkpoint=tmp_path / "training")
    again = train_locally(
        *args, seed=1, checkpoint=tmp_path / "training", progress=lambda _: pytest.fail("trained")
    )
    assert same(first.weights, again.weights)


def test_it_stops_between_two_batches(tmp_path: Path):
    plan = LocalPlan(epochs=3, batch_rows=16)
    args = (CLAP, start(CLAP), lesson(CLAP), plan)
    asked = iter([False] * 11 + [True])
    path = tmp_path / "training"
    stopped = train_locally(*args, seed=1, should_stop=lambda: next(asked), checkpoint=path)
    assert not stopped.complete
    assert stopped.steps == 11
    resumed = train_locally(*args, seed=1, checkpoint=path)
    assert same(resumed.weights, train_locally(*args, seed=1).weights)


def test_fedprox_stays_nearer_to_the_round_s_model():
    spec, plan = full_batch(CLAP, epochs=15)
    away = []
    for mu in (0.0, 1.0, 10.0):
        trained = train_locally(spec, start(spec), lesson(spec), replace(plan, proximal=mu), seed=1)
        away.append(distance(trained.weights, start(spec)))
    assert away[0] > away[1] > away[2] > 0


def test_the_first_step_of_fedprox_is_that_of_fedavg():
    spec, plan = full_batch(CLAP)
    one, two = (
        train_locally(spec, start(spec), lesson(spec), replace(plan, proximal=mu), seed=1)
        for mu in (0.0, 5.0)
    )
    assert same(one.weights, two.weights)


def test_scaffold_s_new_control_is_the_mean_gradient():
    """With option II, and whatever correction was applied on the way."""
    spec, plan = full_batch(CLAP)
    begin = start(spec)
    plain = train_locally(spec, begin, lesson(spec), plan, seed=1)
    gradient = {n: (begin[n] - plain.weights[n]) / np.float32(0.05) for n in begin}
    correction = {n: np.full_like(a, 0.01) for n, a in begin.items()}
    corrected = train_locally(spec, begin, lesson(spec), plan, seed=1, correction=correction)
    for name, array in corrected.weights.items():
        np.testing.assert_allclose(array, plain.weights[name] - 0.05 * correction[name], atol=1e-6)
    control = new_control(correction, begin, corrected.weights, steps=1, learning_rate=0.05)
    for name, array in control.items():
        np.testing.assert_allclose(array, gradient[name], atol=1e-4)


@pytest.mark.parametrize("wrong", [{"optimiser": "adam"}, {"momentum": 0.9}])
def test_scaffold_asks_for_plain_gradient_descent(wrong):
    with pytest.raises(TrainingError, match="SCAFFOLD"):
        train_locally(
            CLAP, start(CLAP), lesson(CLAP), LocalPlan(**wrong), seed=1, correction=start(CLAP)
        )


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_fedrep_trains_first_what_stays_then_what_is_shared(optimiser: str):
    plan = LocalPlan(
        epochs=1,
        local_epochs=2,
        keep_local=("detector.fc3.*",),
        optimiser=optimiser,
        batch_rows=32,
        weight_decay=0.01,
    )
    begin = start(CLAP)
    seen: list[int] = []
    stop_after_local = iter([False] * 8 + [True])
    local_only = train_locally(
        CLAP,
        begin,
        lesson(CLAP),
        plan,
        seed=1,
        should_stop=lambda: next(stop_after_local),
        progress=lambda progress: seen.append(progress.epochs),
    )
    both = train_locally(CLAP, begin, lesson(CLAP), plan, seed=1)
    assert set(seen) == {3}
    for name in begin:
        stays = plan.is_local(name)
        assert np.array_equal(local_only.weights[name], begin[name]) != stays
        assert np.array_equal(both.weights[name], local_only.weights[name]) == stays


def test_weight_decay_shrinks():
    spec, plan = full_batch(CLAP, epochs=5)
    zero = {name: np.zeros_like(array) for name, array in start(spec).items()}
    sizes = [
        distance(train_locally(spec, start(spec), lesson(spec), p, seed=1).weights, zero)
        for p in (plan, replace(plan, weight_decay=0.5))
    ]
    assert sizes[1] < sizes[0]


@every_head
def test_a_diverging_course_is_an_error_not_a_model(spec: StudentSpec, tmp_path: Path):
    plan = LocalPlan(epochs=30, batch_rows=16, learning_rate=1e30)
    with pytest.raises(TrainingError, match="diverged in epoch"):
        train_locally(
            spec, start(spec), lesson(spec), plan, seed=1, checkpoint=tmp_path / "training"
        )


def test_a_start_or_a_lesson_that_does_not_fit_is_refused():
    with pytest.raises(ModelError, match="lacks"):
        train_locally(CLAP, {}, lesson(CLAP), LocalPlan(), seed=1)
    with pytest.raises(TrainingError, match="takes 4 features, footage has 7"):
        train_locally(CLAP, start(CLAP), DensityLesson(np.ones((3, 7))), LocalPlan(), seed=1)
    with pytest.raises(TrainingError, match="in no order"):
        train_locally(SPECS[1], start(SPECS[1]), lesson(SPECS[2]), LocalPlan(), seed=1)
