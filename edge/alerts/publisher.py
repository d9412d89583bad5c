"""From the outbox to the broker: in order, few at a time, until each is acknowledged.

An acknowledged message stays in the outbox for ``SETTLE_S`` more: a broker that is killed may have
acknowledged what it never passed on. If it comes back without remembering our session, these
few are sent again, under the ids that they had.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edge.alerts.outbox import Outbox, Pending
from edge.wire.broker import Broker, Message, Outcome, Receipt
from edge.wire.events import encode_event

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 50  # a broker drops for a slow subscriber beyond its queue (mosquitto: 1000)
REFUSED_PAUSE_S = 30.0  # the operator mends an access list in minutes, not in milliseconds
UNHEARD_PAUSE_S = 5.0
UNHEARD_FOR_S = 300.0  # subscribers of a restarted broker are back by then, or there are none
SETTLE_S = 5.0  # how long after its PUBACK a message may still die with the broker
DRAIN_S = 2.0  # how long a stopping process waits for acknowledgements
POLL_S = 0.25  # how soon a new connection is noticed; news and receipts wake the thread at once


@dataclass(slots=True)
class PublisherCounts:
    """Since the process began."""

    events_sent: int = 0  # acknowledged by the broker
    events_unheard: int = 0  # of those, acknowledged without any subscriber
    resent: int = 0  # refused, lost or unheard, and kept to be sent again
    best_effort_lost: int = 0  # scores, statistics, pictures that found no connection


class Publisher:
    """Sends what the outbox holds; remembers retained states and repeats them after a reconnect.

    ``run`` belongs to one thread, the other methods may be called from any.
    """

    def __init__(
        self,
        broker: Broker,
        outbox: Outbox,
        *,
        events_topic: str,
        now: Callable[[], float] = time.time,  # seconds since the epoch, for ages of events
        tick: Callable[[], float] = time.monotonic,  # for pauses: nobody sets this clock
    ) -> None:
        self.counts = PublisherCounts()
        self._broker = broker
        self._outbox = outbox
        self._events_topic = events_topic
        self._now = now
        self._tick = tick
        self._connections = 0
        self._events: dict[str, Pending] = {}  # in flight, by event id: one at a time each
        self._acknowledged: dict[int, float] = {}  # seq and when; still in the outbox
        self._receipts: queue.SimpleQueue[tuple[Pending, Receipt]] = queue.SimpleQueue()
        self._retained: dict[str, bytes] = {}  # the latest of every topic
        self._unsent: dict[str, None] = {}  # topics whose latest state is not acknowledged
        self._states_in_flight = 0
        self._refusals: dict[str, str] = {}  # topic: why
        self._not_before_s: dict[str, float] = {}  # topic: when to try it again
        self._lock = threading.Lock()  # guards the five above
        self._wake = threading.Event()

    @property
    def problems(self) -> list[str]:
        """What an operator should mend, in words."""
        state = self._broker.state
        link = [] if state.connected else [f"broker: {state.reason}"]
        with self._lock:
            refused = [f"broker refuses {topic}: {why}" for topic, why in self._refusals.items()]
        return link + refused + ([self._outbox.problem] if self._outbox.problem else [])

    @property
    def pending(self) -> int:
        """Messages that wait to be acknowledged."""
        return len(self._outbox) - len(self._acknowledged)

    def notify(self) -> None:
        """The outbox has news."""
        self._wake.set()

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a state that is remembered; repeated after reconnects and refusals."""
        with self._lock:
            if self._retained.get(topic) == payload:
                return
            self._retained[topic] = payload
            self._unsent[topic] = None
        self._wake.set()

    def send(self, message: Message) -> None:
        """Publish once; if it cannot go now it is counted and forgotten."""
        self._broker.publish(message, self._note_best_effort)

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``, then a little longer for what is still being acknowledged."""
        deadline_s = float("inf")
        while not stop.is_set() or (self._events and time.monotonic() < deadline_s):
            self._wake.wait(POLL_S)
            self._wake.clear()
            self.pump()
            if stop.is_set():
                deadline_s = min(deadline_s, time.monotonic() + DRAIN_S)
        self._forget(settled_s=float("inf"))

    def pump(self) -> None:
        """One turn: settle what was acknowledged, send what is due. Never blocks on the network."""
        self._settle()
        state = self._broker.state
        if not state.connected:
            return
        if state.connections != self._connections:
            self._connections = state.connections
            self._begin_anew(state.remembered)
        self._forget(settled_s=self._tick() - SETTLE_S)
        room = min(MAX_IN_FLIGHT, state.max_in_flight)
        self._send_states(room)
        if self._is_due(self._events_topic):
            self._send_events(room)

    def _is_due(self, topic: str) -> bool:
        return self._tick() >= self._not_before_s.get(topic, 0.0)

    def _forget(self, *, settled_s: float) -> None:
        """Delete what was acknowledged no later than ``settled_s``."""
        seqs = [seq for seq, when_s in self._acknowledged.items() if when_s <= settled_s]
        self._outbox.done(seqs)
        for seq in seqs:
            del self._acknowledged[seq]

    def _begin_anew(self, remembered: bool) -> None:
        """A new connection: the broker may have died, refusals may have been mended."""
        if not remembered:
            self.counts.resent += len(self._acknowledged)
            self._acknowledged.clear()
        with self._lock:
            self._unsent = dict.fromkeys(self._retained)
            self._not_before_s.clear()

    def _send_states(self, room: int) -> None:
        with self._lock:
            free = max(room - self._states_in_flight - len(self._events), 0)
            topics = [t for t in self._unsent if self._is_due(t)][:free]
            states = [(topic, self._retained[topic]) for topic in topics]
            for topic in topics:
                del self._unsent[topic]
            self._states_in_flight += len(states)
        for topic, payload in states:
            message = Message(topic, payload, retain=True)
            self._broker.publish(message, partial(self._note_state, topic))

    def _send_events(self, room: int) -> None:
        free = room - self._states_in_flight - len(self._events)
        if free <= 0:
            return
        for pending in self._outbox.next(free, busy=self._events, skip=self._acknowledged):
            event = pending.transition.after
            self._events[event.id] = pending
            payload = encode_event(pending.transition, age_s=self._now() - event.updated_time_s)
            message = Message(self._events_topic, payload)
            self._broker.publish(message, partial(self._note_event, pending))

    # Receipts arrive on the broker's thread: note, wake, return.

    def _note_event(self, pending: Pending, receipt: Receipt) -> None:
        self._receipts.put((pending, receipt))
        self._wake.set()

    def _note_state(self, topic: str, receipt: Receipt) -> None:
        with self._lock:
            self._states_in_flight -= 1
            if receipt.outcome in (Outcome.LOST, Outcome.REFUSED):
                self._unsent[topic] = None
        self._judge(topic, receipt)
        self._wake.set()

    def _note_best_effort(self, receipt: Receipt) -> None:
        if receipt.outcome in (Outcome.LOST, Outcome.REFUSED):
            self.counts.best_effort_lost += 1

    def _settle(self) -> None:
        """Tell the acknowledged from those that need another turn."""
        while True:
            try:
                pending, receipt = self._receipts.get_nowait()
            except queue.Empty:
                break
            del self._events[pending.transition.after.id]
            if self._is_delivered(pending, receipt):
                self._acknowledged[pending.seq] = self._tick()
                self.counts.events_sent += 1
            else:
                self.counts.resent += 1

    def _is_delivered(self, pending: Pending, receipt: Receipt) -> bool:
        self._judge(self._events_topic, receipt)
        if receipt.outcome is Outcome.UNHEARD:
            return self._is_given_up(pending)
        return receipt.outcome is Outcome.ACCEPTED

    def _is_given_up(self, pending: Pending) -> bool:
        """A broker that has just restarted acknowledges before its subscribers are back."""
        if self._now() - pending.transition.after.updated_time_s >= UNHEARD_FOR_S:
            self.counts.events_unheard += 1
            return True
        with self._lock:
            self._not_before_s[self._events_topic] = self._tick() + UNHEARD_PAUSE_S
        return False

    def _judge(self, topic: str, receipt: Receipt) -> None:
        """Note whether the broker lets us publish on ``topic``; say a refusal loudly, once."""
        if receipt.outcome is Outcome.LOST:
            return
        if receipt.outcome is not Outcome.REFUSED:
            with self._lock:
                self._refusals.pop(topic, None)
            return
        with self._lock:
            known = self._refusals.get(topic) == receipt.reason
            self._refusals[topic] = receipt.reason
            self._not_before_s[topic] = self._tick() + REFUSED_PAUSE_S
        if not known:
            log.error(
                "MQTT: the broker refuses to publish on %s: %s. Messages are kept and tried again; "
                "allow this topic in the broker's access list",
                topic,
                receipt.reason,
            )
