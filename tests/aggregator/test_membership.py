"""Clusters as the rounds know them: who is given which model, who comes, what is seen."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator import membership
from aggregator.plan import begin
from aggregator.rounds import Rounds
from aggregator.store import Store
from aggregator.strategies.fvcc import FVCC
from aggregator.strategies.port import Step
from edge.wire.chunks import blob_of
from edge.wire.compression import encode_delta
from edge.wire.rounds import Accepted, Join, Refused, UpdateOffer
from tests.aggregator.strategies.test_fvcc import PRECINCT, ROAD, same
from tests.aggregator.strategies.test_roster import left_to_a_newcomer
from tests.aggregator.test_rounds import ZERO, plan
from tests.fakes.clusters import ByName

EVEN, ODD, LATE = "even", "odd", "oddly"  # lengths decide: clusters 0, 1, 1


class Site:
    """Rounds with clusters, on a store that can be opened again."""

    def __init__(self, folder: Path, **changes) -> None:
        self._path, self._plan = folder / "store.sqlite", plan(**changes)
        self.registered: set[str] | None = None
        self.store = Store(self._path)
        begin(self.store, ByName(), self._plan, ZERO, 0.0)
        self._open()

    def _open(self) -> None:
        self.rounds = Rounds(self.store, ByName(), self._plan, registered=self.registered)

    def restart(self) -> None:
        self.store.close()
        self.store = Store(self._path)
        self._open()

    def join(self, participant: str, *objects: float) -> Refused | None:
        number = self.rounds.running.number
        message = Join(round=number, takes_part=True, version="1", objects=objects)
        answer = self.rounds.join(participant, message, 1.0)
        self.rounds.tick(1.0)
        return answer

    def send(self, participant: str, value: float, fingerprint: str | None = None):
        told = self.rounds.announcement.seen_by(participant) or self.rounds.announcement
        payload = encode_delta({"w": np.full(4, value, np.float32)}, "fp32")
        offer = UpdateOffer(
            round=told.round,
            update=f"u{told.round}",
            fingerprint=fingerprint or told.fingerprint,
            num_examples=1,
            blob=blob_of(payload),
        )
        answer = self.rounds.judge(participant, offer, 1.0)
        return answer or self.rounds.take(participant, offer, payload, 1.0)

    def first_round(self) -> None:
        self.join(EVEN, 1.0, 0.0)
        self.join(ODD, 0.0, 1.0)
        self.send(EVEN, 1.0)
        self.send(ODD, 2.0)
        self.rounds.tick(1.0)
        assert self.rounds.running.number == 2

    def members(self) -> dict[int, tuple[str, ...]]:
        return {one.label: one.members for one in self.rounds.announcement.clusters}

    def models(self) -> list[float]:
        model, state = self.rounds._membership.model, self.rounds._membership.state
        return [float(each.model["w"][0]) for each in ByName().clusters(model, state)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.first_round()
    return made


def test_after_the_first_round_each_cluster_has_a_model_of_its_own(site: Site):
    assert site.members() == {0: (EVEN,), 1: (ODD,)}
    assert site.models() == [1.0, 2.0]
    notices = site.rounds.announcement.clusters
    assert len({one.model.id for one in notices} | {site.rounds.announcement.model.id}) == 3


def test_an_update_is_judged_by_the_model_of_its_own_cluster(site: Site):
    even, odd = site.rounds.announcement.clusters
    for wrong in (odd.fingerprint, site.rounds.announcement.fingerprint):
        answer = site.send(EVEN, 1.0, wrong)
        assert isinstance(answer, Refused)
        assert "another model" in answer.reason
    assert isinstance(site.send(EVEN, 1.0, even.fingerprint), Accepted)


def test_who_is_in_no_cluster_sends_in_vain(site: Site):
    assert "another model" in site.send(LATE, 1.0).reason


@pytest.mark.parametrize("restart", [False, True])
def test_a_newcomer_is_placed_announced_and_counts(site: Site, restart: bool):
    site.send(EVEN, 5.0)  # accepted before the newcomer comes: counted again, once
    assert site.join(LATE, 0.25, 0.75) is None
    if restart:
        site.restart()
    assert site.members() == {0: (EVEN,), 1: (ODD, LATE)}
    assert site.models() == [1.0, 2.0]
    assert site.rounds.contributors == {EVEN}
    assert isinstance(site.send(LATE, 4.0), Accepted)
    site.rounds.tick(1.0)
    assert site.rounds.running.number == 3
    assert site.models() == [6.0, 6.0]
    assert site.members() == {0: (EVEN,), 1: (ODD, LATE)}
    assert site.store.placements() == []


def begun(store: Store, step: Step) -> membership.Membership:
    """As a process finds it, whenever it starts."""
    now = membership.Membership(store, FVCC())
    now.begin(step.model, step.state)
    return now


def labels(now: membership.Membership) -> dict[str, int]:
    return {name: each.label for name, each in FVCC().roster(now.state).members.items()}


@given(st.lists(st.tuples(st.none() | st.floats(0, 1), st.booleans()), max_size=6))
@settings(max_examples=30)
def test_whenever_a_process_dies_the_next_one_places_everybody_alike(comers):
    """By what each sees of roads and precincts, and whether it is placed before the next comes."""
    step = left_to_a_newcomer()
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.sqlite")
        live = begun(store, step)
        for number, (road, is_placed) in enumerate(comers):
            told = labels(live)
            shares = () if road is None else road * ROAD + (1 - road) * PRECINCT
            assert live.hear(f"new{number}", tuple(map(float, shares))) is None
            assert live.place_newcomers() if is_placed else True
            assert told.items() <= labels(live).items()
            assert same(live.state, begun(store, step).state)
        store.close()


def test_a_newcomer_that_asks_again_is_placed_once(site: Site):
    for _ in range(3):
        site.join(LATE)
    assert [name for name, _ in site.store.placements()] == [LATE]
    assert site.members()[1] == (ODD, LATE)


def test_placing_sends_no_model_again(site: Site):
    before = [one.model for one in site.rounds.announcement.clusters]
    site.join(LATE, 0.25, 0.75)
    assert [one.model for one in site.rounds.announcement.clusters] == before


def test_only_members_are_given_a_cluster_s_model(site: Site):
    for name, label in ((EVEN, 0), (ODD, 1)):
        given = site.rounds.models.given_to(name)
        assert given.blob == site.rounds.announcement.clusters[label].model
        assert blob_of(given.payload) == given.blob
    assert site.rounds.models.given_to(LATE) is None


def test_what_everybody_sees_reaches_the_strategy_also_after_a_restart(site: Site):
    site.join(EVEN, 0.5, 0.5)
    site.restart()
    site.send(EVEN, 1.0)
    site.send(ODD, 1.0)
    site.rounds.tick(1.0)
    state = site.rounds._membership.state
    assert state[f"member/{EVEN}"].tolist() == [0.5, 0.5]
    assert state[f"member/{ODD}"].tolist() == [0.0, 1.0]


def test_rounded_shares_are_of_one_whole_again(site: Site):
    site.join(EVEN, 0.333, 0.666)
    assert site.store.objects()[EVEN].sum() == pytest.approx(1.0, abs=1e-6)


def test_shares_of_other_classes_are_refused(site: Site):
    answer = site.join(LATE, 1.0)
    assert "1 classes of objects: 2 are asked for" in answer.reason
    assert LATE not in site.members()[1]


def test_what_was_heard_of_other_classes_is_left_out(tmp_path: Path):
    store = Store(tmp_path / "store.sqlite")
    store.save_objects(EVEN, np.array([0.2, 0.3, 0.5], np.float32))
    store.save_objects(ODD, np.array([0.5, 0.5], np.float32))
    store.place({LATE: np.ones(1, np.float32)})
    state = membership.placed(store, ByName(), ZERO, {})
    assert state[f"member/{LATE}"].tolist() == [-1, -1]
    known = membership.Membership(store, ByName())
    known.begin(ZERO, {})
    assert known.objects_of(EVEN) is None
    assert known.objects_of(ODD).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("left", [False, True])
def test_what_is_seen_where_a_host_has_left_is_forgotten_at_the_round_s_end(site: Site, left: bool):
    site.join(LATE, 0.25, 0.75)
    site.registered = {EVEN, ODD} if left else None
    site.restart()
    for name in (EVEN, ODD):
        assert LATE in site.store.objects()
        site.send(name, 1.0)
    site.rounds.tick(1.0)
    assert site.rounds.running.number == 3
    assert site.store.objects().keys() == ({EVEN, ODD} if left else {EVEN, ODD, LATE})
    assert (site.rounds._membership.objects_of(LATE) is None) == left
    assert site.rounds._membership.objects_of(EVEN).tolist() == [1.0, 0.0]


def test_clusters_are_not_more_than_an_announcement_can_name(site: Site, monkeypatch):
    monkeypatch.setattr(membership, "MAX_MEMBERS", 3)
    assert site.join(LATE) is None
    assert "at most 3" in site.join("one-more").reason
    assert site.join(LATE) is None  # is in
    assert sum(map(len, site.members().values())) == 3


def test_first_clusters_are_not_more_than_an_announcement_can_name(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("aggregator.rounds.MAX_MEMBERS", 2)
    site = Site(tmp_path, close_at=9)
    for name in (EVEN, ODD):
        assert isinstance(site.send(name, 1.0), Accepted)
    assert "at most 2" in site.send(LATE, 1.0).reason
