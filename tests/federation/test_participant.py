from pathlib import Path

import numpy as np
import pytest

from edge.domain.weights import Weights
from edge.errors import TrainingError
from edge.federation.actions import Listen, Measure, Received, Say, SendChunks, Train
from edge.federation.desk import Desk
from edge.federation.packing import Packing
from edge.federation.participant import Participant
from edge.federation.privacy_budget import PrivacyBudget
from edge.wire.chunks import blob_of
from edge.wire.compression import decode_delta
from edge.wire.rounds import (
    Accepted,
    Announcement,
    Blob,
    ClusterNotice,
    Component,
    Join,
    Missing,
    Mode,
    Phase,
    Privacy,
    Refused,
    Settings,
    Statistics,
    UpdateOffer,
)
from edge.wire.weights import encode_weights, fingerprint

MODEL = {"w": np.arange(6, dtype=np.float32)}
DELTA = {"w": np.linspace(-1, 1, 6).astype(np.float32)}
BLOB = encode_weights(MODEL)


def announcement(
    number: int = 1,
    phase: Phase = Phase.UPDATES,
    *,
    run: str = "r",
    deadline_s: float = 1e9,
    clusters: tuple[ClusterNotice, ...] = (),
    **changes,
) -> Announcement:
    defaults = {"compression": "fp32", "privacy": None, "mode": Mode.SYNCHRONOUS}
    settings = Settings(student={}, spec_versions=(), plan={}, rule={}, **(defaults | changes))
    return Announcement(
        run=run,
        round=number,
        phase=phase,
        deadline_s=deadline_s,
        model=blob_of(BLOB, chunk_bytes=100),
        fingerprint=fingerprint(MODEL),
        settings=settings,
        clusters=clusters,
    )


class Host:
    """A participant that can be killed; ``said`` is what its last process said."""

    def __init__(self, folder: Path, budget: PrivacyBudget | None = None) -> None:
        self._folder, self._budget = folder, budget
        self.now_s = 0.0
        self.restart()

    def restart(self) -> None:
        self.desk = Desk(self._folder)
        self.questions: list[tuple[str, ...]] = []
        self.participant = Participant(
            "a", self.desk, Packing(self._budget), version="1", objects=self._objects
        )

    def _objects(self, announcement: Announcement) -> tuple[float, ...]:
        self.questions.append(announcement.settings.classes)
        return (0.25, 0.75)

    def hear(self, announcement: Announcement) -> list:
        """Everything it does, its hunger for the model fed."""
        actions = self.participant.announced(announcement, self.now_s)
        hungry = [a for a in actions if isinstance(a, Say) and isinstance(a.message, Missing)]
        for start in range(0, len(BLOB), 100) if hungry else ():
            piece = BLOB[start : start + 100]
            blob = announcement.model.id
            actions += self.participant.chunk(blob, start, piece, self.now_s)
        return actions

    def train(self, delta: Weights = DELTA) -> list:
        return self.participant.trained(delta, 10, self.now_s)

    def tick(self, seconds: float = 10.0) -> list:
        self.now_s += seconds
        return self.participant.tick(self.now_s)


def said(actions: list, kind: type) -> list:
    return [a.message for a in actions if isinstance(a, Say) and isinstance(a.message, kind)]


def asked(actions: list, kind: type) -> list:
    return [action for action in actions if isinstance(action, kind)]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_it_fetches_the_model_joins_and_trains_on_it(host: Host):
    actions = host.hear(announcement())
    (lesson,) = asked(actions, Train)
    np.testing.assert_array_equal(lesson.model["w"], MODEL["w"])
    assert len(asked(actions, Received)) == 1
    assert [join.takes_part for join in said(actions, Join)] == [True]
    assert asked(host.tick(), Train) == []  # one at a time


def test_a_model_that_is_on_the_disk_is_not_fetched_again(host: Host):
    host.hear(announcement())
    host.restart()
    actions = host.participant.announced(announcement(), 0.0)
    assert said(actions, Missing) == []
    assert len(asked(actions, Train)) == 1  # nothing was computed yet


def test_a_computed_update_is_sent_again_under_its_id_and_never_trained_again(host: Host):
    host.hear(announcement())
    (offer,) = said(host.train(), UpdateOffer)
    assert said(host.tick(), UpdateOffer) == [offer]
    for _ in range(3):
        host.restart()
        actions = host.hear(announcement())
        assert said(actions, UpdateOffer) == [offer]
        assert asked(actions, Train) == []
    (sending,) = asked(
        host.participant.missing(Missing(blob=offer.blob.id, ranges=((0, 9),))), SendChunks
    )
    payload = sending.work.path.read_bytes()
    np.testing.assert_array_equal(decode_delta(payload, {"w": (6,)})["w"], DELTA["w"])


def test_an_accepted_update_is_done_with_also_after_a_kill(host: Host):
    host.hear(announcement())
    (offer,) = said(host.train(), UpdateOffer)
    host.participant.accepted(Accepted(round=1, update=offer.update), 0.0)
    for _ in range(2):
        actions = host.hear(announcement()) + host.tick()
        assert said(actions, UpdateOffer) == []
        assert asked(actions, Train) == []
        host.restart()
    assert len(asked(host.hear(announcement(2)), Train)) == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_what_compression_left_out_moves_on_only_with_an_accepted_update(
    host: Host, accepted: bool
):
    delta = {"w": np.array([1, 0.3, 0.2, -0.7, 0.45, 0.111], np.float32)}
    host.hear(announcement(compression="int8"))
    (offer,) = said(host.train(delta), UpdateOffer)
    if accepted:
        host.participant.accepted(Accepted(round=1, update=offer.update), 0.0)
    else:
        refusal = Refused(round=2, update=offer.update, reason="late")
        host.participant.refused(refusal, 0.0)
    host.restart()
    rest = host.desk.residual(None)
    assert (rest is not None) is accepted
    if rest is not None:
        assert np.abs(rest["w"]).max() <= 0.5 / 127


def test_a_refusal_that_names_no_update_ends_none(host: Host):
    host.hear(announcement())
    (offer,) = said(host.train(), UpdateOffer)
    host.participant.refused(Refused(round=1, reason="a forged message"), 0.0)
    host.participant.refused(Refused(round=1, update="anothers", reason="x"), 0.0)
    assert said(host.tick(), UpdateOffer) == [offer]


@pytest.mark.parametrize("mode", Mode)
def test_a_result_of_an_older_round_is_sent_in_buffered_mode_alone(host: Host, mode: Mode):
    host.hear(announcement(1, mode=mode))
    host.hear(announcement(2, mode=mode))
    actions = host.train()
    offers = said(actions, UpdateOffer)
    assert [offer.round for offer in offers] == ([1] if mode is Mode.BUFFERED else [])
    assert len(asked(actions, Train)) == (mode is Mode.SYNCHRONOUS)  # of round 2, at once


def test_statistics_are_measured_once_and_repeated_until_the_phase_is_over(host: Host):
    before = announcement(phase=Phase.STATISTICS)
    assert len(asked(host.hear(before), Measure)) == 1
    component = Component(mean=1.0, variance=2.0, num_segments=3)
    spoken = said(host.participant.measured(component, host.now_s), Statistics)
    assert [message.component for message in spoken] == [component]
    assert len(said(host.tick(), Statistics)) == 1
    assert len(asked(host.hear(announcement()), Train)) == 1


def test_who_cannot_train_says_so_and_waits_for_the_next_round(host: Host):
    host.hear(announcement())
    actions = host.participant.failed(TrainingError("no footage"), 0.0)
    assert [(m.takes_part, m.reason) for m in said(actions, Join)] == [(False, "no footage")]
    assert asked(host.hear(announcement()), Train) == []
    assert len(asked(host.hear(announcement(2)), Train)) == 1


def test_the_last_model_is_received_and_nothing_more(host: Host):
    actions = host.hear(announcement(phase=Phase.FINISHED))
    assert len(asked(actions, Received)) == 1
    assert said(actions, Join) == []
    assert asked(actions, Train) == []


def test_a_new_connection_says_everything_again(host: Host):
    host.hear(announcement())
    (offer,) = said(host.train(), UpdateOffer)
    assert said(host.participant.tick(0.1), UpdateOffer) == []
    assert said(host.participant.reconnected(0.1), UpdateOffer) == [offer]


def test_noise_is_paid_for_once_however_often_the_update_is_sent(tmp_path: Path):
    budget = PrivacyBudget(tmp_path / "spent", epsilon=20.0, delta=1e-5)
    host = Host(tmp_path, budget)
    private = announcement(privacy=Privacy(clip_norm=1.0, noise_multiplier=1.0))
    host.hear(private)
    host.train()
    for _ in range(3):
        host.restart()
        host.hear(private)
        host.tick()
    assert budget.rounds == 1


def test_a_spent_budget_stops_everything_but_the_reason(tmp_path: Path):
    budget = PrivacyBudget(tmp_path / "spent", epsilon=0.1, delta=1e-5)
    host = Host(tmp_path, budget)
    actions = host.hear(announcement(privacy=Privacy(clip_norm=1.0, noise_multiplier=1.0)))
    assert "budget is spent" in said(actions, Join)[-1].reason
    assert asked(actions, Train) == []  # in vain
    assert len(asked(actions, Received)) == 1


def test_a_host_with_a_budget_sends_nothing_without_noise(tmp_path: Path):
    host = Host(tmp_path, PrivacyBudget(tmp_path / "spent", epsilon=9.0, delta=1e-5))
    actions = host.hear(announcement())
    assert "no noise" in said(actions, Join)[-1].reason
    assert asked(actions, Train) == []


def test_a_budget_that_ran_out_while_training_still_stops_the_update(tmp_path: Path):
    budget = PrivacyBudget(tmp_path / "spent", epsilon=5.5, delta=1e-5)
    host = Host(tmp_path, budget)
    assert asked(
        host.hear(announcement(privacy=Privacy(clip_norm=1.0, noise_multiplier=1.0))), Train
    )
    budget.spend(1.0)
    actions = host.train()
    assert said(actions, UpdateOffer) == []
    assert "budget is spent" in said(actions, Join)[0].reason


@pytest.mark.parametrize("phase", [Phase.STATISTICS, Phase.UPDATES])
def test_who_stayed_away_is_asked_again_when_the_round_is_extended(host: Host, phase: Phase):
    """Else a round that needs this host would never end."""
    host.hear(announcement(phase=phase))
    if phase is Phase.STATISTICS:
        away = host.participant.measured(None, 0.0)
    else:
        away = host.participant.failed(TrainingError("no footage yet"), 0.0)
    assert [join.takes_part for join in said(away, Join)] == [False]
    assert host.tick() == []
    actions = host.hear(announcement(phase=phase, deadline_s=2e9))
    assert [join.takes_part for join in said(actions, Join)] == [True]
    assert len(asked(actions, Measure) + asked(actions, Train)) == 1


def finished(host: Host, number: int) -> None:
    host.hear(announcement(number, compression="int8"))
    (offer,) = said(host.train(), UpdateOffer)
    host.participant.accepted(Accepted(round=number, update=offer.update), 0.0)


@pytest.mark.parametrize("restart", [True, False])
def test_an_aggregator_that_begins_anew_is_followed(host: Host, restart: bool):
    finished(host, 3)
    if restart:
        host.restart()
    assert len(asked(host.hear(announcement(3, run="another")), Train)) == 1
    assert host.desk.residual(None) is None


def test_an_aggregator_that_was_restored_from_a_backup_is_followed(host: Host):
    finished(host, 3)
    host.hear(announcement(4))
    host.train()  # waits for an answer that will never come
    host.restart()
    actions = host.hear(announcement(2))
    assert said(actions, UpdateOffer) == []
    assert len(asked(actions, Train)) == 1


def test_what_was_trained_for_an_aggregator_that_began_anew_is_not_sent(host: Host):
    host.hear(announcement(mode=Mode.BUFFERED))
    actions = host.hear(announcement(run="another", mode=Mode.BUFFERED)) + host.train()
    assert said(actions, UpdateOffer) == []
    assert len(asked(actions, Train)) == 1


def test_what_noise_should_have_hidden_does_not_leave_with_a_later_update(host: Host):
    """The rest of updates without noise is no noise's business, and the other way round."""
    finished(host, 1)
    clean = host.desk.residual(None)
    assert clean is not None
    private = Privacy(clip_norm=1.0, noise_multiplier=1.0)
    assert host.desk.residual(private) is None
    host.hear(announcement(2, compression="int8", privacy=private))
    (offer,) = said(host.train(), UpdateOffer)
    host.participant.accepted(Accepted(round=2, update=offer.update), 0.0)
    assert host.desk.residual(private) is not None
    np.testing.assert_array_equal(host.desk.residual(None)["w"], clean["w"])


def test_a_damaged_model_is_fetched_again(host: Host, tmp_path: Path):
    host.hear(announcement())
    (kept,) = (tmp_path / "model").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    host.restart()
    actions = host.hear(announcement())
    assert len(said(actions, Missing)) > 0
    assert len(asked(actions, Train)) == 1


def test_a_model_beyond_all_measure_is_not_fetched(host: Host, tmp_path: Path):
    huge = Blob(id="0" * 64, size_bytes=2**31, chunk_bytes=2**20)
    actions = host.hear(announcement().model_copy(update={"model": huge}))
    assert [join.takes_part for join in said(actions, Join)] == [False]
    assert said(actions, Missing) == []
    assert not list((tmp_path / "fetch").glob("*"))


def test_pieces_of_a_model_that_nobody_wants_any_more_do_not_stay(host: Host, tmp_path: Path):
    for digit in "12":
        model = Blob(id=digit * 64, size_bytes=500, chunk_bytes=100)
        host.participant.announced(announcement().model_copy(update={"model": model}), 0.0)
    assert [path.name for path in (tmp_path / "fetch").iterdir()] == ["2" * 64 + ".100"]


CLASSES = ("person", "car")
OTHERS = {"w": np.full(6, 9, np.float32)}


def cluster(label: int, model: Weights, *members: str) -> ClusterNotice:
    blob = blob_of(encode_weights(model), chunk_bytes=100)
    return ClusterNotice(label=label, model=blob, fingerprint=fingerprint(model), members=members)


def clustered(number: int = 2, *mine: str) -> Announcement:
    """Two clusters; the second has the model that ``Host`` is fed, and ``mine`` as members."""
    clusters = (cluster(3, OTHERS, "b", "c"), cluster(4, MODEL, *mine))
    told = announcement(number, clusters=clusters, classes=CLASSES)
    other = blob_of(encode_weights(OTHERS), chunk_bytes=100)
    return told.model_copy(update={"model": other, "fingerprint": fingerprint(OTHERS)})


def test_a_member_takes_its_cluster_s_model_and_trains_on_that(host: Host):
    told = clustered(2, "a")
    actions = host.participant.announced(told, 0.0)
    assert asked(actions, Listen) == [Listen(4)]
    assert [m.blob for m in said(actions, Missing)] == [told.clusters[1].model.id]
    for start in range(0, len(BLOB), 100):
        blob = told.clusters[1].model.id
        actions += host.participant.chunk(blob, start, BLOB[start : start + 100], 0.0)
    np.testing.assert_array_equal(asked(actions, Train)[0].model["w"], MODEL["w"])
    (offer,) = said(host.train(), UpdateOffer)
    assert offer.fingerprint == fingerprint(MODEL)


def test_after_a_restart_it_has_its_own_cluster_s_model(host: Host):
    host.hear(announcement())
    host.restart()
    actions = host.participant.announced(clustered(2, "a"), 0.0)
    assert said(actions, Missing) == []
    assert len(asked(actions, Train)) == 1


def test_who_is_in_no_cluster_says_what_it_sees_until_it_is_placed(host: Host):
    actions = host.participant.announced(clustered(), 0.0)
    joins = said(actions, Join)
    assert [join.objects for join in joins] == [(0.25, 0.75)]
    assert asked(actions, Listen) + said(actions, Missing) + asked(actions, Train) == []
    assert said(host.participant.tick(0.1), Join) == []
    assert said(host.tick(), Join) == joins  # the same shares: noise is not drawn again
    assert host.questions == [CLASSES]
    assert len(asked(host.hear(clustered(2, "a")), Listen)) == 1


def test_nobody_says_what_it_sees_without_being_asked(host: Host):
    assert [join.objects for join in said(host.hear(announcement()), Join)] == [()]
    assert host.questions == []


def test_who_has_a_finished_federation_s_clusters_asks_for_a_place(host: Host):
    told = clustered().model_copy(update={"phase": Phase.FINISHED})
    assert len(said(host.participant.announced(told, 0.0), Join)) == 1


def test_what_was_trained_before_there_were_clusters_is_not_sent_after(host: Host, caplog):
    host.hear(announcement())
    host.participant.announced(clustered(), 0.0)
    assert said(host.train(), UpdateOffer) == []
    assert "its result is lost" in caplog.text


def test_nothing_is_trained_while_models_are_improved(host: Host):
    actions = host.hear(announcement(phase=Phase.DISTILLATION))
    assert asked(actions, Train) == []
