"""What a restart under another configuration means for the round that runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.plan import Plan, begin, resume
from aggregator.rounds import Rounds
from aggregator.secure import SecureRounds
from aggregator.store import Store
from aggregator.strategies.registry import make_strategy
from edge.errors import ConfigError
from edge.wire.chunks import blob_of
from edge.wire.compression import encode_delta
from edge.wire.rounds import Accepted, Masking, Phase, Privacy, Settings, UpdateOffer

ZERO = {"w": np.zeros(4, np.float32)}
SETTINGS = Settings(
    student={"head": "density"}, spec_versions=("1",), plan={}, rule={}, compression="fp32"
)
PLAIN = Plan(
    settings=SETTINGS,
    quorum=2,
    close_at=2,
    round_s=100.0,
    statistics_s=10.0,
    collects_statistics=False,
    rounds=1,
)
MASKED = replace(
    PLAIN,
    settings=SETTINGS.model_copy(
        update={
            "privacy": Privacy(clip_norm=1.0, noise_multiplier=0.0),
            "masking": Masking(threshold=2, max_examples=10, weighted=True),
        }
    ),
)
FEDAVG = make_strategy("fedavg")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.sqlite")


def accept(store: Store, participant: str, plan: Plan = PLAIN) -> Rounds:
    rounds = Rounds(store, FEDAVG, plan)
    payload = encode_delta({"w": np.ones(4, np.float32)}, "fp32")
    running = rounds.running
    offer = UpdateOffer(
        round=running.number,
        update="u",
        fingerprint=running.fingerprint,
        num_examples=1,
        blob=blob_of(payload),
    )
    assert isinstance(rounds.take(participant, offer, payload, 1.0), Accepted)
    return rounds


def test_the_same_plan_goes_on_where_it_was(store: Store):
    begin(store, FEDAVG, PLAIN, ZERO, 0.0)
    before = store.running()
    resume(store, PLAIN, ZERO, 50.0)
    assert store.running() == before


def test_a_finished_federation_goes_on_when_more_rounds_are_wanted(store: Store):
    begin(store, FEDAVG, PLAIN, ZERO, 0.0)
    accept(store, "a")
    accept(store, "b").tick(1.0)
    assert store.running().phase is Phase.FINISHED
    resume(store, PLAIN, ZERO, 2.0)
    assert store.running().phase is Phase.FINISHED
    resume(store, replace(PLAIN, rounds=None), ZERO, 3.0)
    running = store.running()
    assert (running.number, running.phase, running.deadline_s) == (2, Phase.UPDATES, 103.0)


@pytest.mark.parametrize(("before", "after"), [(PLAIN, MASKED), (MASKED, PLAIN)])
def test_secure_aggregation_that_is_switched_begins_with_a_new_round(
    store: Store, before: Plan, after: Plan
):
    begin(store, FEDAVG, replace(before, rounds=None), ZERO, 0.0)
    after = replace(after, rounds=None)
    resume(store, after, ZERO, 1.0)
    running = store.running()
    assert (running.number, running.phase) == (2, after.first_phase(with_statistics=False))
    kind = SecureRounds if after is MASKED else Rounds
    assert kind(store, FEDAVG, after).announcement.round == 2
    resume(store, after, ZERO, 2.0)  # and it is noted: not again at the next start
    assert store.running().number == 2


def test_other_terms_of_masked_updates_begin_with_a_new_round(store: Store):
    """What was masked under the old ones would be added up on another scale."""
    begin(store, FEDAVG, replace(MASKED, rounds=None), ZERO, 0.0)
    louder = MASKED.settings.model_copy(
        update={"privacy": Privacy(clip_norm=2.0, noise_multiplier=1.0)}
    )
    resume(store, replace(MASKED, rounds=None, settings=louder), ZERO, 1.0)
    assert store.running().number == 2


def test_accepted_updates_are_not_lost_to_secure_aggregation(store: Store):
    begin(store, FEDAVG, PLAIN, ZERO, 0.0)
    accept(store, "a")
    with pytest.raises(ConfigError, match="round 1 has accepted updates"):
        resume(store, MASKED, ZERO, 1.0)
    resume(store, PLAIN, ZERO, 1.0)  # as before
    assert Rounds(store, FEDAVG, PLAIN).contributors == {"a"}


@pytest.mark.parametrize(
    ("student", "model"),
    [({"head": "clap"}, ZERO), ({"head": "density"}, {"w": np.zeros(5, np.float32)})],
)
def test_a_store_is_not_taken_for_another_student_s(store: Store, student, model):
    begin(store, FEDAVG, PLAIN, ZERO, 0.0)
    other = replace(PLAIN, settings=SETTINGS.model_copy(update={"student": student}))
    with pytest.raises(ConfigError, match="another student"):
        resume(store, other, model, 1.0)


def test_every_beginning_has_a_name_of_its_own(tmp_path: Path):
    runs = set()
    for name in ("first", "second"):
        store = Store(tmp_path / name)
        begin(store, FEDAVG, PLAIN, ZERO, 0.0)
        runs |= {Rounds(store, FEDAVG, PLAIN).announcement.run for _ in range(2)}
    assert len(runs) == 2


def of_classes(*classes: str) -> Plan:
    return replace(PLAIN, settings=SETTINGS.model_copy(update={"classes": classes}))


def test_shares_of_other_classes_are_forgotten(store: Store):
    begin(store, FEDAVG, of_classes("person", "car"), ZERO, 0.0)
    store.save_objects("a", np.array([1.0, 0.0], np.float32))
    resume(store, of_classes("person", "car"), ZERO, 1.0)
    assert [*store.objects()] == ["a"]
    resume(store, of_classes("car", "person"), ZERO, 2.0)
    assert not store.objects()


def test_classes_do_not_change_under_updates_that_were_accepted(store: Store):
    begin(store, FEDAVG, of_classes("person"), ZERO, 0.0)
    accept(store, "a", of_classes("person"))
    with pytest.raises(ConfigError, match="former strategy"):
        resume(store, PLAIN, ZERO, 1.0)
    resume(store, of_classes("person"), ZERO, 1.0)
