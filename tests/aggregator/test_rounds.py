from pathlib import Path

import numpy as np
import pytest
import zstandard

from aggregator.plan import Plan, begin
from aggregator.rounds import Rounds
from aggregator.store import Store
from aggregator.strategies.registry import make_strategy
from edge.errors import ConfigError
from edge.wire.chunks import blob_of
from edge.wire.compression import encode_delta
from edge.wire.rounds import (
    Accepted,
    Blob,
    Component,
    Join,
    Mode,
    Phase,
    Refused,
    Settings,
    Statistics,
    UpdateOffer,
)
from edge.wire.weights import decode_weights, encode_weights

ZERO = {"w": np.zeros(4, np.float32)}


def plan(mode: Mode = Mode.SYNCHRONOUS, **changes) -> Plan:
    settings = Settings(
        student={}, spec_versions=(), plan={}, rule={}, compression="fp32", mode=mode
    )
    defaults = {"quorum": 2, "close_at": 2, "round_s": 100.0, "statistics_s": 10.0}
    return Plan(settings=settings, **(defaults | {"collects_statistics": False} | changes))


class Site:
    """Rounds on a store that can be opened again."""

    def __init__(self, folder: Path, plan: Plan, strategy: str = "fedavg") -> None:
        self._path, self._plan = folder / "store.sqlite", plan
        self._strategy = make_strategy(strategy)
        self.store = Store(self._path)
        begin(self.store, self._strategy, plan, ZERO, 0.0)
        self.rounds = Rounds(self.store, self._strategy, plan)

    def restart(self) -> None:
        self.store.close()
        self.store = Store(self._path)
        self.rounds = Rounds(self.store, self._strategy, self._plan)

    @property
    def model(self) -> list[float]:
        return decode_weights(self.store.outcome().model)["w"].tolist()

    def offer(self, payload: bytes, **changes) -> UpdateOffer:
        running = self.rounds.running
        fields = {
            "round": running.number,
            "update": f"u{running.number}",
            "fingerprint": running.fingerprint,
            "num_examples": 1,
            "blob": blob_of(payload),
        }
        return UpdateOffer(**(fields | changes))

    def send(self, participant: str, value: float, now_s: float = 1.0, **changes):
        payload = encode_delta({"w": np.full(4, value, np.float32)}, "fp32")
        return self.send_bytes(participant, payload, now_s, **changes)

    def send_bytes(self, participant: str, payload: bytes, now_s: float = 1.0, **changes):
        offer = self.offer(payload, **changes)
        answer = self.rounds.judge(participant, offer, now_s)
        return answer or self.rounds.take(participant, offer, payload, now_s)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, plan())


def test_a_quorum_closes_the_round_and_its_mean_moves_the_model(site: Site):
    assert isinstance(site.send("a", 1.0, num_examples=1), Accepted)
    assert isinstance(site.send("b", 4.0, num_examples=2), Accepted)
    site.rounds.tick(1.0)
    assert site.rounds.running.number == 2
    assert site.model == [3.0] * 4
    assert site.store.rounds(2)[1].num_examples == 3


def test_a_quorum_is_made_of_distinct_participants(site: Site):
    assert isinstance(site.send("a", 1.0), Accepted)
    assert isinstance(site.send("a", 1.0), Accepted)  # the same update again: said again
    assert isinstance(site.send("a", 2.0, update="another"), Refused)
    site.rounds.tick(1.0)
    assert site.rounds.running.number == 1
    assert len(site.store.updates_in(1)) == 1


def test_a_deadline_with_too_few_is_extended_and_said(site: Site, caplog):
    site.send("a", 1.0)
    site.rounds.tick(100.0)
    running = site.rounds.running
    assert (running.number, running.extensions, running.deadline_s) == (1, 1, 200.0)
    assert "1 of 2 participants" in caplog.text
    site.send("b", 1.0)
    site.rounds.tick(101.0)
    assert site.rounds.running.number == 2


def test_the_deadline_closes_with_a_quorum(tmp_path: Path):
    site = Site(tmp_path, plan(close_at=5))
    site.send("a", 1.0)
    site.send("b", 1.0)
    site.rounds.tick(99.0)
    assert site.rounds.running.number == 1
    site.rounds.tick(100.0)
    assert site.rounds.running.number == 2


def test_an_older_round_is_refused_and_told_the_current_one(site: Site):
    old = site.rounds.running
    site.send("a", 1.0)
    site.send("b", 1.0)
    site.rounds.tick(1.0)
    answer = site.send("c", 1.0, round=1, fingerprint=old.fingerprint)
    assert isinstance(answer, Refused)
    assert answer.round == 2
    assert "round 1, now is round 2" in answer.reason
    # who was accepted and did not hear of it is told so, at any time
    late = site.send("a", 1.0, round=1, update="u1", fingerprint=old.fingerprint)
    assert late == Accepted(round=1, update="u1")


BAD_DELTAS = {
    "finite": {"w": np.array([1, np.nan, 3, 4], np.float32)},
    "beyond": {"w": np.full(4, 1e9, np.float32)},
    "shape": {"w": np.zeros(5, np.float32)},
    "missing": {"v": np.zeros(4, np.float32)},
}


def raw(delta) -> bytes:
    """As a participant would send it that checks nothing."""
    array = next(iter(delta.values()))
    honest = encode_weights({name: np.zeros_like(array) for name in delta})
    body = honest[: -array.nbytes] + array.tobytes()
    return b"vad-delta-1 fp32\n" + zstandard.ZstdCompressor().compress(body)


@pytest.mark.parametrize("fault", BAD_DELTAS)
def test_an_unusable_update_is_refused_and_its_sender_named(site: Site, fault: str, caplog):
    answer = site.send_bytes("liar", raw(BAD_DELTAS[fault]))
    assert isinstance(answer, Refused)
    assert answer.update == "u1"
    (member,) = site.store.members()
    assert (member.name, member.refused, member.accepted) == ("liar", 1, 0)
    assert fault in member.reason
    assert "liar" in caplog.text
    assert site.store.updates_in(1) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"round": 7}, "not announced"),
        ({"fingerprint": "of-another"}, "another model"),
        ({"blob": Blob(id="0" * 64, size_bytes=2**30, chunk_bytes=1000)}, "at most"),
    ],
)
def test_an_unwanted_update_is_not_even_fetched(site: Site, changes, why: str):
    answer = site.rounds.judge("a", site.offer(b"x", **changes), 1.0)
    assert isinstance(answer, Refused)
    assert why in answer.reason


def test_a_restart_goes_on_with_what_was_accepted(site: Site):
    site.send("a", 1.0)
    site.restart()
    assert site.rounds.contributors == {"a"}
    site.send("b", 3.0)
    site.rounds.tick(1.0)
    site.restart()
    assert site.rounds.running.number == 2
    assert site.model == [2.0] * 4


def test_a_late_update_counts_less_in_buffered_mode_up_to_a_limit(tmp_path: Path):
    site = Site(tmp_path, plan(Mode.BUFFERED, max_staleness=1, quorum=1, close_at=1), "fedbuff")
    first = site.rounds.running.fingerprint
    site.send("a", 1.0)
    site.rounds.tick(1.0)
    assert isinstance(site.send("b", 1.0, round=1, fingerprint=first), Accepted)
    site.rounds.tick(1.0)
    assert site.model == pytest.approx([1 + 2**-0.5] * 4)
    answer = site.send("c", 1.0, round=1, fingerprint=first)
    assert isinstance(answer, Refused)
    assert "2 rounds late" in answer.reason


def test_a_participant_can_come_in_round_50(tmp_path: Path):
    site = Site(tmp_path, plan(quorum=1, close_at=1))
    for _ in range(49):
        site.send("a", 1.0)
        site.rounds.tick(1.0)
    site.rounds.join("late", Join(round=50, takes_part=True, version="1"), 2.0)
    assert isinstance(site.send("late", 1.0), Accepted)
    site.rounds.tick(1.0)
    assert site.model == [50.0] * 4


def test_statistics_come_before_updates_and_become_a_mixture(tmp_path: Path):
    site = Site(tmp_path, plan(collects_statistics=True))
    assert isinstance(site.send("a", 1.0), Refused)
    for number, name in enumerate("ab", 1):
        component = Component(mean=float(number), variance=1.0, num_segments=number)
        for _ in range(2):  # said twice
            site.rounds.statistics(name, Statistics(round=1, component=component), 1.0)
    assert site.rounds.announcement.phase is Phase.UPDATES
    assert [c.num_segments for c in site.rounds.announcement.mixture] == [2, 1]
    assert isinstance(site.send("a", 1.0), Accepted)


def test_after_the_last_round_nothing_is_taken(tmp_path: Path):
    site = Site(tmp_path, plan(quorum=1, close_at=1, rounds=1))
    site.send("a", 1.0)
    site.rounds.tick(1.0)
    assert site.rounds.announcement.phase is Phase.FINISHED
    assert "finished" in site.send("a", 1.0).reason


def test_who_stays_away_says_why(site: Site):
    message = Join(round=1, takes_part=False, reason="the privacy budget is spent", version="1")
    site.rounds.join("a", message, 1.0)
    assert site.store.members()[0].reason == "the privacy budget is spent"


def test_a_deadline_is_not_moved_away_by_a_clock_that_is_set_back(tmp_path: Path):
    site = Site(tmp_path, plan(close_at=3))
    site.rounds.tick(1e9)  # a wrong clock: extended to 1e9 + 100
    site.send("a", 1.0)
    site.send("b", 1.0)
    site.rounds.tick(50.0)
    site.rounds.tick(150.0)
    assert site.rounds.running.number == 2


def test_a_refusal_is_short_and_on_one_line(site: Site, caplog):
    answer = site.rounds.refuse("a", "x\nERROR " + 5000 * "y", 1.0)
    (member,) = site.store.members()
    assert member.reason == answer.reason
    assert len(member.reason) == 1000
    assert "\n" not in caplog.messages[-1]


def test_an_accepted_update_that_no_longer_fits_the_strategy_is_not_lost_in_silence(site: Site):
    site.send("a", 1.0)
    with pytest.raises(ConfigError, match="configure the former strategy"):
        Rounds(site.store, make_strategy("scaffold"), plan())


def test_members_are_counted_by_the_store(site: Site):
    for _ in range(2):
        site.send("a", 1.0)
        site.send("b", 1.0)
        site.rounds.tick(1.0)
    assert [(m.name, m.accepted, m.last_round) for m in site.store.members()] == [
        ("a", 2, 2),
        ("b", 2, 2),
    ]
