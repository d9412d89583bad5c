"""Whatever is lost, repeated, delayed or killed: an accepted update counts, once."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.wire.rounds import Masking, Mode, Phase, Privacy
from edge.wire.weights import decode_weights
from tests.aggregator.world import World

NAMES = ("attic", "door", "yard")


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
