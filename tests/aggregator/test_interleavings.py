"""Whatever is lost, repeated, delayed or killed: an accepted update counts, once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.distil_folder import Task
from edge.wire.rounds import Masking, Mode, Phase, Privacy
from edge.wire.weights import decode_weights
from tests.aggregator.world import World
from tests.fakes.clusters import ByName, label_of

NAMES = ("attic", "door", "yard")
MASKS = {
    "privacy": Privacy(clip_norm=100.0, noise_multiplier=0.0),
    "masking": Masking(threshold=2, max_examples=10, weighted=True),
}


@pytest.fixture(autouse=True, scope="module")
def _no_power_cuts() -> Iterator[None]:
    """Processes die here, the machine does not: nothing need reach the platter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


def final_model(world: World) -> np.ndarray:
    return decode_weights(world.store.outcome().model)["w"]


def contributors(world: World, number: int) -> list[str]:
    return [update.participant for update in world.store.updates_in(number)]


def expected(world: World) -> np.ndarray:
    """The plain averages of what the store says was accepted, one round after the other."""
    model = world.model["w"].astype(np.float64)
    for number in range(1, world.plan.rounds + 1):
        model = model + world.average(number, contributors(world, number))
    return model


@given(seed=st.integers(0, 2**32), quorum=st.integers(1, 3), mixture=st.booleans())
@settings(max_examples=20, deadline=None)
def test_every_accepted_update_counts_once(seed: int, quorum: int, mixture: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder),
            NAMES,
            seed=seed,
            trouble=0.3,
            risk=0.15,
            quorum=quorum,
            close_at=quorum,
            collects_statistics=mixture,
        )
        for _ in range(600):
            world.step()
            if world.chance.random() < 0.03:
                world.hosts[world.chance.choice(NAMES)].begin()
            if world.finished and not any(host.desk.work for host in world.hosts.values()):
                break
        assert world.finished
        for host in world.hosts.values():
            accepted = {n for n in range(1, 4) if host.name in contributors(world, n)}
            assert host.accepted <= accepted  # what it was told is so
        np.testing.assert_allclose(final_model(world), expected(world), atol=1e-5)
        world.store.close()


@given(seed=st.integers(0, 2**32), quorum=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_everybody_trains_its_own_cluster_s_model(seed: int, quorum: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder),
            NAMES,
            seed=seed,
            trouble=0.3,
            risk=0.1,
            strategy=ByName(),
            quorum=quorum,
            close_at=quorum,
        )
        for _ in range(800):
            world.step()
            if world.chance.random() < 0.03:
                world.hosts[world.chance.choice(NAMES)].begin()
            if world.finished and not any(host.desk.work for host in world.hosts.values()):
                break
        assert world.finished
        by_hand = clusters_by_hand(world)
        for host in world.hosts.values():
            for number, model in host.began_with.items():
                np.testing.assert_allclose(model, by_hand[number][label_of(host.name)], atol=1e-4)
        world.store.close()


def clusters_by_hand(world: World) -> dict[int, list[np.ndarray]]:
    """Round → the model that each cluster begins it with."""
    models = [world.model["w"].astype(np.float64)] * 2
    by_round = {1: models}
    for number in range(1, world.plan.rounds + 1):
        models = list(models)
        for label in (0, 1):
            names = [n for n in contributors(world, number) if label_of(n) == label]
            if names:
                models[label] = models[label] + np.mean(
                    [world.hosts[name].delta(number) for name in names], axis=0
                )
        by_round[number + 1] = models
    return by_round


class Tripled:
    """Improves models by a formula, after some looks; counts how often it was begun."""

    def __init__(self, looks: int) -> None:
        self._looks, self._left = looks, 0
        self.began: list[int] = []
        self._task: Task | None = None

    def begin(self, task: Task) -> None:
        self.began.append(task.round)
        self._task, self._left = task, self._looks

    def result(self, *, late: bool) -> dict | None:
        assert self._task is not None
        self._left -= 1
        if late:
            return {}
        if self._left > 0:
            return None
        return {each.label: {"w": 3 * each.model["w"]} for each in self._task.models}


@given(seed=st.integers(0, 2**32), masked=st.booleans())
@settings(max_examples=15, deadline=None)
def test_models_are_improved_once_a_round_whoever_dies(seed: int, masked: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        terms = {"step_s": 20.0, **MASKS} if masked else {}
        world = World(
            Path(folder),
            NAMES,
            seed=seed,
            trouble=0.1,
            risk=0.1,
            improver=Tripled(looks=4),
            distillation_s=50.0,
            **terms,
        )
        for _ in range(3000):
            world.step()
            if world.chance.random() < 0.05:
                world.restart_aggregator()
            if world.finished:
                break
        assert world.finished
        model = world.model["w"].astype(np.float64)
        for number in range(1, world.plan.rounds + 1):
            model = 3 * (model + world.average(number, contributors(world, number)))
        np.testing.assert_allclose(final_model(world), model, rtol=1e-4, atol=1e-3)
        world.store.close()


def test_what_comes_too_late_is_not_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, NAMES, improver=Tripled(looks=10**6), distillation_s=5.0)
    world.run()
    np.testing.assert_allclose(final_model(world), expected(world), atol=1e-5)


def test_nothing_is_taken_while_models_are_improved(tmp_path: Path) -> None:
    world = World(
        tmp_path, NAMES, quorum=2, close_at=2, improver=Tripled(looks=9), distillation_s=9.0
    )
    silent = world.hosts.pop("yard")
    while world.rounds.announcement.phase is not Phase.DISTILLATION:
        world.step()
    world.hosts["yard"] = silent
    silent.begin()
    for _ in range(6):
        world.step()
    assert world.rounds.announcement.phase is Phase.DISTILLATION
    assert silent.trained == []
    world.run()
    assert silent.trained[0] > 1


def test_a_round_closes_with_all_and_the_model_is_the_average(tmp_path: Path) -> None:
    world = World(tmp_path, NAMES)
    world.run()
    assert all(contributors(world, n) != [] for n in (1, 2, 3))
    np.testing.assert_allclose(final_model(world), expected(world), atol=1e-5)
    assert [host.trained for host in world.hosts.values()] == [[1, 2, 3]] * 3


@given(seed=st.integers(0, 2**32), threshold=st.integers(2, 3))
@settings(max_examples=15, deadline=None)
def test_a_masked_sum_is_that_of_the_survivors(seed: int, threshold: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder),
            NAMES,
            seed=seed,
            trouble=0.2,
            risk=0.05,
            quorum=threshold,
            close_at=3,
            step_s=20.0,
            privacy=Privacy(clip_norm=100.0, noise_multiplier=0.0),
            masking=Masking(threshold=threshold, max_examples=10, weighted=True),
        )
        for _ in range(3000):
            world.step()
            if world.chance.random() < 0.005:
                world.hosts[world.chance.choice(NAMES)].begin()
            if world.finished:
                break
        assert world.finished
        assert all(len(contributors(world, n)) >= threshold for n in (1, 2, 3))
        np.testing.assert_allclose(final_model(world), expected(world), atol=1e-4)
        world.store.close()


def test_without_trouble_a_secure_round_takes_one_attempt(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        NAMES,
        privacy=Privacy(clip_norm=100.0, noise_multiplier=0.0),
        masking=Masking(threshold=2, max_examples=10, weighted=True),
    )
    world.run()
    assert [one.attempt for one in world.store.rounds(9)] == [1] * 4
    assert [len(contributors(world, n)) for n in (1, 2, 3)] == [3, 3, 3]
    np.testing.assert_allclose(final_model(world), expected(world), atol=1e-5)


def all_needed(folder: Path) -> World:
    """A secure round that ends with everybody or never."""
    return World(
        folder,
        NAMES,
        rounds=1,
        step_s=20.0,
        privacy=Privacy(clip_norm=100.0, noise_multiplier=0.0),
        masking=Masking(threshold=3, max_examples=10, weighted=True),
    )


@pytest.mark.parametrize("phase", [Phase.SHARES, Phase.UPDATES, Phase.UNMASK])
def test_who_was_killed_in_a_session_is_in_the_next_attempt(tmp_path: Path, phase: Phase) -> None:
    world = all_needed(tmp_path)
    while world.store.running().phase is not phase:
        world.step()
    world.hosts["attic"].begin()
    world.run()
    assert world.store.rounds(2)[1].attempt == 2
    assert len(contributors(world, 1)) == 3
    np.testing.assert_allclose(final_model(world), expected(world), atol=1e-5)
    assert len(world.hosts["attic"].trained) == 1


def test_who_was_killed_after_its_keys_were_heard_does_not_stay_away_for_good(tmp_path: Path):
    """It finds a roster with keys that it knows no more, and must not take part in that."""
    world = all_needed(tmp_path)
    others = {name: world.hosts.pop(name) for name in NAMES[1:]}
    for _ in range(5):
        world.step()
    world.hosts["attic"].begin()
    world.hosts |= others
    for host in others.values():
        host.begin()
    world.run()
    assert len(contributors(world, 1)) == 3


@given(seed=st.integers(0, 2**32), buffer=st.integers(1, 2))
@settings(max_examples=15, deadline=None)
def test_a_buffer_counts_late_updates_once(seed: int, buffer: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder),
            NAMES,
            seed=seed,
            trouble=0.3,
            risk=0.15,
            mode=Mode.BUFFERED,
            max_staleness=2,
            quorum=buffer,
            close_at=buffer,
        )
        for _ in range(600):
            world.step()
            if world.chance.random() < 0.03:
                world.hosts[world.chance.choice(NAMES)].begin()
            if world.finished:
                break
        assert world.finished
        model = world.model["w"].astype(np.float64)
        counted = set()
        for number in range(1, world.plan.rounds + 1):
            total, examples = np.zeros_like(model), 0
            for update in world.store.updates_in(number):
                host, age = world.hosts[update.participant], number - update.trained_on
                assert 0 <= age <= world.plan.max_staleness
                counted.add((update.participant, update.trained_on))
                total += host.delta(update.trained_on) * host.examples / np.sqrt(1 + age)
                examples += host.examples
            model = model + total / examples
        assert len(counted) == sum(len(world.store.updates_in(n)) for n in (1, 2, 3))
        np.testing.assert_allclose(final_model(world), model, atol=1e-5)
        world.store.close()
