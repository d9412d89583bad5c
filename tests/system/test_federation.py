"""Rounds of real processes: every one of them is killed while a round runs."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from aggregator.store import Store
from edge.federation.ledger import Ledger
from edge.wire.weights import decode_weights
from tests.system.broker import MOSQUITTO
from tests.system.federation import Federation, Host, at_work, has_begun
from tests.system.federation_host import target_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
HOSTS = {  # the first update comes while others train
    name: Host(seed, takes_s=0.1 + 0.3 * seed, statistics_of=3)
    for seed, name in enumerate(("attic", "door", "yard"))
}
SIZE = 120_000  # weights: a model of 480 kB travels in five chunks
ROUNDS = 8
CLEAN_ROUNDS = 5
EXACT = "compression: fp32"
MASKED = "secure: {threshold: 2, max_examples: 100}\nprivacy: {clip_norm: 1000}"


def federation_of(folder: Path, *, rounds: int, how: str) -> Federation:
    model, student = {"w": np.zeros(SIZE, np.float32)}, {"head": "clap"}
    return Federation(folder, HOSTS, model=model, student=student, rounds=rounds, quorum=3, how=how)


def has_an_update_in(number: int) -> Callable[[Store], bool]:
    return lambda store: bool(store.updates_in(number)) or has_begun(number + 1)(store)


def expected_model(rounds: int) -> np.ndarray:
    """FedAvg over hosts that go half of the way to their targets, by hand."""
    examples = np.array([10 * (1 + seed) for seed in range(len(HOSTS))], np.float64)
    targets = np.stack([target_of(seed, SIZE) for seed in range(len(HOSTS))])
    middle = examples @ targets / examples.sum()
    return middle * (1 - 0.5**rounds)


@pytest.mark.timeout(400)
def test_rounds_survive_the_death_of_every_process(tmp_path: Path) -> None:
    with at_work(federation_of(tmp_path, rounds=ROUNDS, how=EXACT), *HOSTS) as federation:
        federation.until(has_begun(CLEAN_ROUNDS + 1))
        for number, victim in enumerate(("broker", "aggregator", "yard"), CLEAN_ROUNDS + 1):
            federation.until(has_an_update_in(number))
            federation.kill(victim)
            federation.start(victim)
        federation.until(has_begun(ROUNDS + 1))

        check_rounds(federation, ROUNDS, total_examples=60)
        np.testing.assert_allclose(final_model(federation), expected_model(ROUNDS), atol=1e-5)
        for host in HOSTS:
            check_host(federation, host)


@pytest.mark.timeout(400)
def test_masked_rounds_sum_up_to_the_same_model(tmp_path: Path) -> None:
    with at_work(federation_of(tmp_path, rounds=2, how=MASKED), *HOSTS) as federation:
        federation.until(has_begun(3))
        check_rounds(federation, 2, total_examples=60)
        np.testing.assert_allclose(final_model(federation), expected_model(2), atol=1e-4)


def check_rounds(federation: Federation, count: int, *, total_examples: int) -> None:
    """Every round has every host's update, once, and nothing was refused."""
    rounds = federation.ask("rounds")["rounds"][1:]  # the newest says that all is over
    assert [one["num_updates"] for one in rounds] == [len(HOSTS)] * count
    assert {one["num_examples"] for one in rounds} == {total_examples}
    members = federation.ask("participants")["participants"]
    assert {m["name"]: (m["accepted"], m["refused"]) for m in members} == {
        host: (count, 0) for host in HOSTS
    }


def memory(federation: Federation) -> Store:
    return Store(federation.folder / "data" / "aggregator.sqlite", read_only=True)


def final_model(federation: Federation) -> np.ndarray:
    with closing(memory(federation)) as store:
        return decode_weights(store.outcome().model)["w"]


def check_host(federation: Federation, host: str) -> None:
    """It has the last model, and has written down what it gave away."""
    shown = federation.folder / host / "model"
    federation.until(lambda store: shown.read_text() == store.running().fingerprint)
    with closing(Ledger(federation.folder / host / "data" / "ledger.sqlite")) as ledger:
        left = ledger.totals()["fl-blob-1"].size_bytes
    assert left >= ROUNDS * SIZE * 3  # fp32 of random numbers hardly compresses
