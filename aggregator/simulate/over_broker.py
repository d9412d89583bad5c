"""A federation over a real broker: one process per participant, the aggregator's, mosquitto's.

Between learners and strategy is all that stands there in the field: signed messages, TLS, chunks,
ledgers, the aggregator's memory. The simulator only listens to which models the participants hold
and judges them; the federation goes on meanwhile. Hosts draw their noise from the operating system:
with it, runs of one seed differ.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory

from aggregator.simulate.learner import Learner
from aggregator.simulate.run import Company, Job, Meeting, recipe_of
from aggregator.simulate.seat import Holding, Seat, attend
from aggregator.simulate.site import (
    LEAVES_S,
    FederationSite,
    aggregator_config,
    write_first_model,
)
from aggregator.store import Store
from aggregator.strategies.port import Cluster
from edge.domain.weights import Weights
from edge.errors import StorageError, TrainingError

LOOK_EVERY_S = 0.2
# torch is loaded once, by a process that computes nothing; every participant is forked from it
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([attend.__module__, "torch._dynamo"])  # optimisers load the latter


@contextmanager
def over_broker(meeting: Meeting) -> Iterator[Company]:
    """A federation that runs; it ends, with all its processes and files, when this does.

    Raises ConfigError where mosquitto is not installed.
    """
    job, learners, model = meeting.job, meeting.learners, meeting.model
    hosts = [f"p{index:03}" for index in range(len(learners))]  # names that any topic takes
    with _terminated_as_interrupted(), TemporaryDirectory(prefix="vad-simulate-") as folder:
        site = FederationSite(Path(folder), hosts)
        first = site.folder / "first.safetensors"
        write_first_model(first, learners[0].spec, model)
        with site.running({"model": str(first), **_config(meeting)}):
            guests: list[Guest] = []
            try:
                for host, learner in zip(hosts, learners, strict=True):
                    guests.append(Guest(learner, _seat(site, host, job), model))
                yield BrokerFederation(site, guests)
            finally:
                for guest in guests:
                    guest.talk.close()
                for guest in guests:
                    guest.wait()


class Guest:
    """A participant's process as the simulator sees it."""

    def __init__(self, learner: Learner, seat: Seat, model: Weights) -> None:
        """Start it; until it says more it is to be judged by ``model``."""
        self.name, self.host = learner.name, seat.host
        self.model = model
        self.round = 0  # that begins with the federation's model that it has
        self.fingerprint = ""  # of that
        self.bytes_up = 0
        self._ahead: Holding | None = None  # said, but of a later round
        self.talk, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=attend, args=(learner, seat, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def said(self) -> Holding | None:
        """The next thing that it says, again and again until ``take``; None: nothing yet."""
        if self._ahead is None and self.talk.poll():
            self._ahead = self._received()
        return self._ahead

    def take(self, model: Weights) -> None:
        """Believe what it said; it is to be judged by ``model``."""
        assert self._ahead is not None
        self.model, self.round = model, self._ahead.round
        self.fingerprint, self.bytes_up = self._ahead.fingerprint, self._ahead.bytes_up
        self._ahead = None

    def check(self) -> None:
        """Raise TrainingError where it has ended."""
        if not self._process.is_alive():
            raise self._gone()

    def wait(self) -> None:
        """Until it has gone, which it does when ``talk`` is closed."""
        self._process.join(LEAVES_S)
        self._process.kill()
        self._process.join()

    def _received(self) -> Holding:
        try:
            holding: Holding = self.talk.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error
        return holding

    def _gone(self) -> TrainingError:
        return TrainingError(f"participant {self.name} has ended by itself; see what it said")


class BrokerFederation:
    """The company of those who meet at a broker."""

    def __init__(self, site: FederationSite, guests: Sequence[Guest]) -> None:
        self._site = site
        self._guests = guests
        self._shared: dict[str, Weights] = {}  # the federation's newest model, by fingerprint

    def round(self, number: int) -> tuple[float, tuple[str, ...]]:
        """Wait until everybody holds what the round has come to."""
        before = sum(guest.bytes_up for guest in self._guests)
        # who waits for somebody else must not keep a third from speaking: all are listened to
        while late := [guest for guest in self._guests if not self._holds(guest, number)]:
            if not wait([guest.talk for guest in late], LOOK_EVERY_S):
                self._check()
        after = sum(guest.bytes_up for guest in self._guests)
        return (after - before) / len(self._guests), self._absent(number)

    def models(self) -> Mapping[str, Weights]:
        """By participant; those who hold the federation's as it is hold one object."""
        return {guest.name: guest.model for guest in self._guests}

    def clusters(self) -> tuple[Cluster, ...]:
        """None: what a cluster's members hold is not followed here."""
        return ()

    def _holds(self, guest: Guest, number: int) -> bool:
        """Whether a participant has a round's result, or it is clear that it never will."""
        while guest.round <= number and (holding := guest.said()) is not None:
            if holding.round > number + 1:
                return True  # it was too late for this round, and missed its result
            guest.take(self._one_object(holding))
        # where the round has changed nothing, there is nothing to be said
        return guest.round > number or self._fingerprint(number + 1) == guest.fingerprint

    def _one_object(self, holding: Holding) -> Weights:
        if holding.is_own:
            return holding.model
        if holding.fingerprint not in self._shared:
            self._shared = {holding.fingerprint: holding.model}
        return self._shared[holding.fingerprint]

    def _fingerprint(self, number: int) -> str | None:
        """Of the model that a round begins with; None: it has not begun."""
        try:
            with self._store() as store:
                return store.fingerprint_of(number)
        except StorageError:  # the aggregator has not made it yet
            return None

    def _absent(self, number: int) -> tuple[str, ...]:
        """Whose update is not in the round, and why."""
        with self._store() as store:
            there = {update.participant for update in store.updates_in(number)}
            reasons = {member.name: member.reason for member in store.members()}
        return tuple(
            f"participant {guest.name} in round {number}: {reasons.get(guest.host) or 'too late'}"
            for guest in self._guests
            if guest.host not in there
        )

    def _check(self) -> None:
        """Raise TrainingError where waiting is no use."""
        self._site.check()
        for guest in self._guests:
            guest.check()
        try:
            with self._store() as store:
                running = store.running()
        except StorageError:
            return
        if running is not None and running.extensions:
            why = "; ".join(self._absent(running.number)) or "they came too late"
            raise TrainingError(f"round {running.number} has too few updates: {why}")

    @contextmanager
    def _store(self) -> Iterator[Store]:
        with closing(Store(self._site.store, read_only=True)) as store:
            yield store


def _config(meeting: Meeting) -> dict[str, object]:
    job, learners = meeting.job, meeting.learners
    able = len(learners)
    if learners[0].spec.head != "density":  # who has no normal footage stays away
        able = sum(learner.teacher.statistics() is not None for learner in learners)
    examples = max(learner.teacher.lesson().num_examples for learner in learners)
    return aggregator_config(
        recipe_of(job),
        job.terms,
        meeting.strategy,
        job.asks.name,
        able=able,
        max_examples=examples,
    )


def _seat(site: FederationSite, host: str, job: Job) -> Seat:
    data = site.folder / "hosts" / host
    return Seat(host, site.port, site.keys_of(host), data, job.asks.tuned)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt: no process of ours may outlive us."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
