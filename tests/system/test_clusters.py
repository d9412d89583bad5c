"""Clusters over a real broker: two kinds of hosts find each other, each kind trains a model of its
own and hears no chunk of the other's; a newcomer is placed by what it sees; a killed aggregator
goes on with the same clusters."""

import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from aggregator.cluster_report import read_report
from aggregator.store import Store
from aggregator.strategies.registry import make_strategy
from edge.wire.weights import decode_weights
from tests.system.broker import MOSQUITTO
from tests.system.federation import Federation, Host, at_work, has_begun
from tests.system.federation_host import target_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
SIZE = 60_000  # weights: a model of 240 kB travels in three chunks
UNTIL_ALIKE = 5  # rounds, after which a member's model is near its target
STREET, SQUARE = (0.1, 0.85, 0.05), (0.9, 0.05, 0.05)
HOSTS = {
    f"{kind}{number}": Host(10 * index + number, takes_s=0.1, kind=100 + index, objects=objects)
    for index, (kind, objects) in enumerate({"street": STREET, "square": SQUARE}.items())
    for number in range(3)
}
LATE = Host(7, takes_s=0.1, kind=100, objects=(0.05, 0.9, 0.05))
STRATEGY = make_strategy("fvcc", classes=("person", "car", "other"))
HOW = """
compression: fp32
strategy: {name: fvcc, options: {classes: [person, car, other]}}
"""
CHUNK = re.compile(r"Sending PUBLISH to fl-(\S+) .*'vad/fl/street/aggregator/(\S+?)/(\w+)/")


def memberships(store: Store) -> dict[str, int]:
    return {name: member.label for name, member in read_report(store, STRATEGY).members.items()}


def at_last(federation: Federation) -> dict[str, int]:
    """The same, as the command tells it."""
    return {one["name"]: one["cluster"] for one in federation.ask("clusters")["participants"]}


@pytest.mark.timeout(900)
def test_kinds_find_each_other_and_a_newcomer_finds_its_kind(tmp_path: Path) -> None:
    made = Federation(
        tmp_path,
        {**HOSTS, "late": LATE},
        model={"w": np.zeros(SIZE, np.float32)},
        student={"head": "density"},
        rounds=10**6,
        quorum=len(HOSTS),
        how=HOW,
    )
    with at_work(made, *HOSTS) as federation:
        federation.until(has_begun(4))
        before = at_last(federation)
        check_kinds(before)
        federation.start("late")
        federation.until(lambda store: "late" in memberships(store))
        federation.kill("square2")  # a round closes at the quorum: the newcomer is needed for it
        federation.kill("aggregator")
        federation.start("aggregator")
        number = federation.round()
        federation.until(has_begun(max(number + 2, UNTIL_ALIKE)))
        federation.until(lambda store: accepted(store, "late"))
        after = at_last(federation)
        assert after.pop("late") == before["street0"]
        assert after == before
        check_models(federation)
        check_chunks(federation, before | {"late": before["street0"]})


def accepted(store: Store, participant: str) -> int:
    return next(member.accepted for member in store.members() if member.name == participant)


def check_kinds(found: dict[str, int]) -> None:
    """Each kind is a cluster."""
    streets, squares = (
        {found[host] for host in HOSTS if host.startswith(kind)} for kind in ("street", "square")
    )
    assert len(streets) == len(squares) == 1, found
    assert streets != squares


def check_models(federation: Federation) -> None:
    """The clusters' models are near what their members would have, and far from each other."""
    with closing(Store(federation.folder / "data" / "aggregator.sqlite", read_only=True)) as store:
        outcome = store.outcome()
    state = decode_weights(outcome.strategy)
    clusters = STRATEGY.clusters(decode_weights(outcome.model), state)
    assert len(clusters) == 2
    for cluster in clusters:
        kind = HOSTS[cluster.members[-1]].kind
        distance = np.abs(cluster.model["w"] - target_of(kind, SIZE)).mean()
        assert distance < 0.2


def check_chunks(federation: Federation, labels: dict[str, int]) -> None:
    """By the broker's own log nobody was sent a chunk of a cluster that it is not in."""
    sent = {host: set() for host in labels}
    for line in (federation.folder / "broker.log").read_text().splitlines():
        found = CHUNK.search(line)
        if found is not None and found[1] in sent:
            sent[found[1]].add(found[2])
    assert sent == {
        host: {f"cluster-{label}"} | ({"blob"} if host in HOSTS else set())
        for host, label in labels.items()
    }


@pytest.mark.timeout(900)
def test_a_distillation_that_fails_costs_no_round(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="distillation needs torch")
    (tmp_path / "public").mkdir()  # and nothing in it
    hosts = {name: HOSTS[name] for name in ("street0", "square0")}
    made = Federation(
        tmp_path,
        hosts,
        model={"w": np.zeros(100, np.float32)},
        student={"head": "density"},
        rounds=2,
        quorum=2,
        how="compression: fp32\ndistillation: {public: public}",
    )
    with at_work(made, *hosts) as federation:
        federation.until(has_begun(3))
    said = (tmp_path / "aggregator.log").read_text()
    for number in (1, 2):
        assert f"round {number}: the models are not distilled into" in said
        assert f"round {number} is over: 2 updates" in said
