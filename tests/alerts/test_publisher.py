import json
import logging
import threading

import pytest

from edge.alerts.outbox import Outbox
from edge.alerts.publisher import (
    MAX_IN_FLIGHT,
    REFUSED_PAUSE_S,
    SETTLE_S,
    UNHEARD_FOR_S,
    UNHEARD_PAUSE_S,
    Publisher,
)
from edge.wire.broker import Message, Outcome, Receipt
from edge.wire.events import decode_event
from tests.fakes.broker import ACCEPTED, FakeBroker
from tests.fakes.scores import story

TOPIC = "vad/h/events"
REFUSED = Receipt(Outcome.REFUSED, "Not authorized")
UNHEARD = Receipt(Outcome.UNHEARD, "No matching subscribers")


class Desk:
    """A publisher with its outbox and broker, and a clock in the test's hand."""

    def __init__(self, path):
        self.now_s = 1010.0
        self.set_back_s = 0.0  # by how much the wall clock was
        self.broker = FakeBroker()
        self.outbox = Outbox(path)
        self.publisher = Publisher(
            self.broker,
            self.outbox,
            events_topic=TOPIC,
            now=lambda: self.now_s - self.set_back_s,
            tick=lambda: self.now_s,
        )

    def record(self, *transitions):
        self.outbox.record(transitions, now_s=self.now_s)

    def pump(self, turns=10):
        for _ in range(turns):
            self.publisher.pump()

    def told(self):
        return [decode_event(payload) for payload in self.broker.payloads(TOPIC)]


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path / "outbox.sqlite")
    yield made
    made.outbox.close()


def test_an_event_is_deleted_only_when_it_is_acknowledged(desk):
    desk.broker.come()
    desk.broker.held = True
    desk.record(*story())
    desk.pump()
    assert len(desk.outbox) == 3
    desk.broker.answer()
    desk.pump(1)
    assert (desk.publisher.pending, len(desk.outbox)) == (2, 3)
    desk.now_s += SETTLE_S
    desk.pump(1)
    assert len(desk.outbox) == 2


def test_a_broker_that_died_with_what_it_acknowledged_gets_it_again(desk):
    desk.broker.come()
    desk.record(*story(updates=0))
    desk.pump()
    desk.broker.go()
    desk.broker.come(remembering=False)
    desk.pump()
    assert desk.told() == story(updates=0) * 2


def test_a_broken_cable_doubles_nothing(desk):
    desk.broker.come()
    desk.record(*story(updates=0))
    desk.pump()
    desk.broker.go()
    desk.broker.come(remembering=True)
    desk.pump()
    assert desk.told() == story(updates=0)


def test_the_story_of_an_event_is_told_in_order(desk):
    desk.broker.come()
    desk.record(*story(updates=3))
    desk.pump()
    assert desk.told() == story(updates=3)
    assert desk.publisher.counts.events_sent == 5


def test_after_an_outage_one_new_and_one_end_per_event_with_their_age(desk):
    for n in range(20):
        desk.record(*story(1000.0 + n, updates=0))
    desk.now_s = 5000.0
    desk.pump()
    assert desk.told() == []
    desk.broker.come()
    desk.pump()
    by_event = {}
    for transition in desk.told():
        by_event.setdefault(transition.after.id, []).append(transition)
    assert sorted(by_event.values(), key=lambda s: s[0].after.id) == [
        story(1000.0 + n, updates=0) for n in range(20)
    ]
    ages = [json.loads(payload)["age"] for payload in desk.broker.payloads(TOPIC)]
    assert min(ages) > 3900


def test_what_a_broken_connection_swallowed_is_sent_again(desk):
    desk.broker.come()
    desk.broker.held = True
    desk.record(*story(1000.0), *story(1001.0))
    desk.pump()
    desk.broker.answer(1)
    desk.broker.go()
    desk.broker.held = False
    desk.broker.come()
    desk.pump()
    assert desk.publisher.pending == 0
    assert sorted(desk.told(), key=lambda t: (t.after.id, t.after.updated_time_s)) == [
        *story(1000.0),
        *story(1001.0),
    ]


def test_few_messages_are_in_flight(desk):
    desk.broker.come()
    desk.broker.held = True
    for n in range(200):
        desk.record(*story(1000.0 + n))
    for n in range(30):
        desk.publisher.retain(f"vad/h/cam{n}/status", b"online")
    desk.pump()
    assert len(desk.broker.waiting) <= min(MAX_IN_FLIGHT, desk.broker.state.max_in_flight) < 100


def test_a_refusal_is_said_once_kept_and_tried_again(desk, caplog):
    desk.broker.judge = lambda _: REFUSED
    desk.broker.come()
    desk.record(*story())
    with caplog.at_level(logging.ERROR):
        desk.pump()
        desk.now_s += REFUSED_PAUSE_S + 1
        desk.pump()
    assert caplog.text.count("Not authorized") == 1
    assert TOPIC in caplog.text
    assert desk.publisher.problems == [f"broker refuses {TOPIC}: Not authorized"]
    assert len(desk.outbox) == 3
    desk.broker.judge = lambda _: ACCEPTED
    desk.pump()
    assert desk.told() == []
    desk.now_s += REFUSED_PAUSE_S + 1
    desk.pump()
    assert desk.told() == story()
    assert desk.publisher.problems == []


def test_an_event_that_nobody_heard_waits_for_a_subscriber(desk):
    desk.broker.judge = lambda _: UNHEARD
    desk.broker.come()
    desk.record(*story())
    desk.pump()
    assert len(desk.outbox) == 3
    desk.broker.judge, desk.broker.received = lambda _: ACCEPTED, []
    desk.now_s += UNHEARD_PAUSE_S
    desk.pump()
    assert desk.told() == story()


def test_a_clock_that_is_set_back_holds_up_nothing(desk):
    desk.broker.judge = lambda _: UNHEARD
    desk.broker.come()
    desk.record(*story())
    desk.pump()
    desk.broker.judge, desk.broker.received = lambda _: ACCEPTED, []
    desk.set_back_s = 3600.0
    desk.now_s += UNHEARD_PAUSE_S
    desk.pump()
    desk.now_s += SETTLE_S
    desk.pump()
    assert desk.told() == story()
    assert len(desk.outbox) == 0


def test_without_subscribers_events_do_not_pile_up(desk):
    desk.broker.judge = lambda _: UNHEARD
    desk.broker.come()
    desk.record(*story())
    desk.now_s += UNHEARD_FOR_S
    desk.pump()
    assert desk.publisher.pending == 0
    assert desk.publisher.counts.events_unheard == 3


def test_retained_states_are_repeated_after_a_reconnect_and_only_the_latest(desk):
    desk.publisher.retain("s", b"ON")
    desk.publisher.retain("s", b"OFF")
    desk.broker.come()
    desk.pump()
    assert desk.broker.received == [Message("s", b"OFF", retain=True)]
    desk.publisher.retain("s", b"OFF")
    desk.pump()
    assert len(desk.broker.received) == 1
    desk.broker.go()
    desk.broker.come()
    desk.pump()
    assert len(desk.broker.received) == 2


def test_a_state_that_was_lost_on_the_way_is_sent_again(desk):
    desk.broker.come()
    desk.broker.held = True
    desk.publisher.retain("s", b"ON")
    desk.pump()
    desk.broker.go()
    desk.broker.held = False
    desk.broker.come()
    desk.pump()
    assert desk.broker.payloads("s") == [b"ON"]


def test_a_refused_state_leaves_events_alone(desk):
    desk.broker.judge = lambda m: REFUSED if m.topic == "s" else ACCEPTED
    desk.broker.come()
    desk.publisher.retain("s", b"ON")
    desk.record(*story())
    desk.pump()
    assert desk.told() == story()
    assert desk.publisher.problems == ["broker refuses s: Not authorized"]


def test_best_effort_messages_are_counted_when_they_are_lost(desk):
    desk.publisher.send(Message("score", b"1", qos=0))
    assert desk.publisher.counts.best_effort_lost == 1
    assert desk.publisher.problems == ["broker: not started"]


def test_the_thread_sends_what_it_is_told_and_settles_before_it_ends(desk):
    stop = threading.Event()
    desk.broker.come()
    desk.record(*story())
    thread = threading.Thread(target=desk.publisher.run, args=(stop,))
    thread.start()
    desk.publisher.notify()
    stop.set()
    thread.join()
    assert desk.told() == story()[: len(desk.told())]
    assert len(desk.outbox) == 3 - len(desk.told())
