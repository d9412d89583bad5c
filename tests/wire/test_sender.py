from edge.wire.broker import Message, Outcome, Receipt
from edge.wire.sender import MAX_IN_FLIGHT, Sender
from tests.fakes.broker import FakeBroker


def connected(**state) -> FakeBroker:
    broker = FakeBroker(**state)
    broker.start()
    return broker


def sender_on(broker: FakeBroker) -> Sender:
    return Sender(broker, wake=lambda: None)


def make(payload: bytes):
    return lambda: Message("t", payload)


def test_messages_go_before_chunks_and_in_order():
    broker = connected()
    sender = sender_on(broker)
    sender.stream("c", make(b"chunk"))
    sender.say("a", make(b"1"))
    sender.say("b", make(b"2"))
    sender.pump()
    assert broker.payloads("t") == [b"1", b"2", b"chunk"]


def test_a_message_replaces_the_one_that_waits_a_chunk_does_not():
    broker = connected()
    sender = sender_on(broker)
    for payload in (b"old", b"new"):
        sender.say("a", make(payload))
        sender.stream("c", make(payload))
    sender.pump()
    assert broker.payloads("t") == [b"new", b"old"]


def test_no_more_are_in_flight_than_the_broker_takes():
    broker = connected()
    broker.held = True
    sender = sender_on(broker)
    for number in range(100):
        sender.stream(number, make(b"%d" % number))
    sender.pump()
    in_flight = min(MAX_IN_FLIGHT, broker.state.max_in_flight - 1)
    assert len(broker.waiting) == in_flight
    broker.answer(3)
    sender.pump()
    assert len(broker.waiting) == in_flight
    assert len(sender) == 100 - in_flight - 3


def test_without_a_connection_everything_waits():
    broker = FakeBroker()
    sender = sender_on(broker)
    sender.say("a", make(b"1"))
    sender.pump()
    assert len(sender) == 1
    broker.start()
    sender.pump()
    assert broker.payloads("t") == [b"1"]


def test_what_is_no_longer_wanted_is_not_sent():
    broker = connected()
    sender = sender_on(broker)
    sender.say("a", lambda: None)
    sender.say("b", make(b"2"))
    sender.pump()
    assert broker.payloads("t") == [b"2"]


def test_a_loss_is_counted_and_a_refusal_is_said_once(caplog):
    broker = connected(judge=lambda _: Receipt(Outcome.REFUSED, "Not authorized"))
    sender = sender_on(broker)
    for number in range(5):
        sender.say(number, make(b"x"))
    sender.pump()
    assert caplog.text.count("Not authorized") == 1
    broker.held = True
    sender.say("a", make(b"x"))
    sender.pump()
    broker.go()
    assert sender.lost == 1
