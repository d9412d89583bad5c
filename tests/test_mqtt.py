"""The contract of the broker port, kept by the fake and by paho with a real mosquitto; and paho's
side alone, against a few scripted bytes."""

import gc
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from edge.errors import BrokerRefusedError
from edge.mqtt import MqttBroker, MqttSettings, Tls, try_broker
from edge.mqtt import broker as mqtt
from edge.wire.broker import Broker, Message, Outcome, Receipt
from tests.fakes.broker import FakeBroker
from tests.system.broker import MOSQUITTO, Mosquitto, free_port

PATIENCE_S = 20.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread or process; a test that waits in vain fails."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


class FakeWorld:
    """The fake, and the power over it."""

    def __init__(self) -> None:
        self._fake = FakeBroker()
        self.broker: Broker = self._fake

    def down(self) -> None:
        self._fake.go()

    def up(self) -> None:
        self._fake.come()

    def end(self) -> None:
        self._fake.stop()


class MosquittoWorld:
    """The real thing."""

    def __init__(self, folder: Path) -> None:
        self._server = Mosquitto(folder)
        self._server.start()
        self.broker: Broker = MqttBroker(MqttSettings("127.0.0.1", self._server.port, "contract"))

    def down(self) -> None:
        self._server.kill()
        until(lambda: not self.broker.state.connected)

    def up(self) -> None:
        self._server.start()
        until(lambda: self.broker.state.connected)

    def end(self) -> None:
        self.broker.stop()
        self._server.kill()


World = FakeWorld | MosquittoWorld


@pytest.fixture(params=["fake", pytest.param("mosquitto", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "fake":
        made: World = FakeWorld()
    elif MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    else:
        made = MosquittoWorld(tmp_path)
    made.broker.start()
    until(lambda: made.broker.state.connected)
    yield made
    made.end()


class TestBrokerContract:
    def test_every_publish_gets_one_receipt(self, world: World) -> None:
        receipts: list[Receipt] = []
        for number in range(200):
            qos = number % 2
            message = Message("a/b", b"%d" % number, qos=qos)
            until(lambda: len(receipts) > number - world.broker.state.max_in_flight)  # noqa: B023 - called at once
            world.broker.publish(message, receipts.append)
        until(lambda: len(receipts) == 200)
        assert {r.outcome for r in receipts} <= {Outcome.ACCEPTED, Outcome.UNHEARD}

    def test_a_subscriber_hears_its_topic_alone_and_in_order(self, world: World) -> None:
        heard: list[tuple[str, bytes]] = []
        world.broker.subscribe("a/set", lambda topic, payload: heard.append((topic, payload)))
        for number in range(10):
            world.broker.publish(Message("a/other", b"x"), lambda _: None)
            world.broker.publish(Message("a/set", b"%d" % number), lambda _: None)
        until(lambda: len(heard) == 10)
        assert heard == [("a/set", b"%d" % number) for number in range(10)]

    def test_a_level_may_be_any_but_not_several(self, world: World) -> None:
        heard: list[tuple[str, bytes]] = []
        world.broker.subscribe("fl/+/up/+", lambda topic, payload: heard.append((topic, payload)))
        for topic in ("fl/a/up/join", "fl/a/up", "fl/a/b/up/join", "fl/a/down/x", "fl/b/up/end"):
            world.broker.publish(Message(topic, b"x"), lambda _: None)
        until(lambda: len(heard) == 2)
        assert heard == [("fl/a/up/join", b"x"), ("fl/b/up/end", b"x")]

    def test_what_was_unsubscribed_is_heard_no_more_also_after_a_reconnect(
        self, world: World
    ) -> None:
        heard: list[str] = []
        for topic in ("a/set", "b/set"):
            world.broker.subscribe(topic, lambda topic, _: heard.append(topic))
        for reconnect in (False, True):
            world.broker.unsubscribe("a/set")  # the second time it is not there any more
            if reconnect:
                world.down()
                world.up()
            for topic in ("a/set", "b/set"):
                world.broker.publish(Message(topic, b"x"), lambda _: None)
            until(lambda: "b/set" in heard)
            assert heard == ["b/set"]
            heard.clear()

    def test_without_a_connection_a_message_is_lost_and_said_to_be(self, world: World) -> None:
        world.down()
        receipts: list[Receipt] = []
        world.broker.publish(Message("a/b", b"x"), receipts.append)
        assert [r.outcome for r in receipts] == [Outcome.LOST]
        assert not world.broker.state.connected
        assert world.broker.state.reason

    def test_it_comes_back_by_itself_and_listens_again(self, world: World) -> None:
        heard: list[bytes] = []
        world.broker.subscribe("a/set", lambda _, payload: heard.append(payload))
        before = world.broker.state.connections
        world.down()
        world.up()
        assert world.broker.state.connections == before + 1
        world.broker.publish(Message("a/set", b"again"), lambda _: None)
        until(lambda: heard == [b"again"])

    def test_nothing_of_an_old_connection_is_sent_again(self, world: World) -> None:
        heard: list[bytes] = []
        world.broker.subscribe("a/set", lambda _, payload: heard.append(payload))
        world.down()
        world.broker.publish(Message("a/set", b"old"), lambda _: None)
        world.up()
        world.broker.publish(Message("a/set", b"new"), lambda _: None)
        until(lambda: bool(heard))
        assert heard == [b"new"]


class ScriptedServer:
    """Accepts connections one after another and lets ``talk`` speak with each."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._talk = talk
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                self._talk(peer)

    def __enter__(self) -> "ScriptedServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _mqtt_version(connect: bytes) -> int:
    return connect[connect.index(b"MQTT") + 4]


def _old_broker(peer: socket.socket) -> None:
    """Knows 3.1.1 alone; acknowledges one QoS 1 publish."""
    if _mqtt_version(peer.recv(4096)) == 5:
        peer.sendall(bytes([0x20, 2, 0, 1]))
        return
    peer.sendall(bytes([0x20, 2, 0, 0]))
    publish = peer.recv(4096)
    topic_end = 4 + publish[3]
    peer.sendall(bytes([0x40, 2, *publish[topic_end : topic_end + 2]]))
    peer.recv(4096)


def _mute_broker(peer: socket.socket) -> None:
    """Hangs up on MQTT 5 without a word, as some old brokers do."""
    if _mqtt_version(peer.recv(4096)) != 5:
        peer.sendall(bytes([0x20, 2, 0, 0]))
        peer.recv(4096)


def _wrong_password(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(bytes([0x20, 3, 0, 0x86, 0]))
    peer.recv(4096)


def _settings(port: int) -> MqttSettings:
    return MqttSettings(
        "127.0.0.1", port, "me", username="u", password="secret", connect_timeout_s=5.0
    )


def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    with ScriptedServer(_old_broker) as server:
        report = try_broker(_settings(server.port), [Message("t", b"x")])
    assert report.protocol == "MQTT 3.1.1"
    assert [(t, r.outcome) for t, r in report.receipts] == [("t", Outcome.ACCEPTED)]


def test_an_ended_connection_leaves_no_socket_for_the_garbage_collector() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.disable()
    try:
        with ScriptedServer(_mute_broker) as server:
            before = open_files()
            try_broker(_settings(server.port), [])
            until(lambda: open_files() <= before)
    finally:
        gc.enable()


def test_a_broker_that_hangs_up_on_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    with ScriptedServer(_mute_broker) as server:
        assert try_broker(_settings(server.port), []).protocol == "MQTT 3.1.1"


def test_a_refusal_carries_the_brokers_reason_and_no_password() -> None:
    with (
        ScriptedServer(_wrong_password) as server,
        pytest.raises(BrokerRefusedError, match="Bad user name or password") as raised,
    ):
        try_broker(_settings(server.port), [])
    assert raised.value.reason == "Bad user name or password"
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(_settings(1))


def test_a_refused_client_says_so_once_and_does_not_hammer_the_broker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def count_and_refuse(peer: socket.socket) -> None:
        asked.append(1)
        _wrong_password(peer)

    monkeypatch.setattr(mqtt, "REFUSED_PAUSE_S", 0.01)
    with ScriptedServer(count_and_refuse) as server, caplog.at_level(logging.WARNING):
        broker = MqttBroker(_settings(server.port))
        broker.start()
        until(lambda: len(asked) >= 3)
        state = broker.state
        broker.stop()
    assert (state.connected, state.connections) == (False, 0)
    assert state.reason == "Bad user name or password"
    assert caplog.text.count("Bad user name or password") == 1


def test_the_pause_after_a_refusal_is_long() -> None:
    assert mqtt.REFUSED_PAUSE_S >= 60


def test_pauses_grow_to_a_bound() -> None:
    pauses_s = mqtt._pauses_s()
    drawn = [next(pauses_s) for _ in range(30)]
    assert drawn[0] <= mqtt.FIRST_PAUSE_S
    assert mqtt.LONGEST_PAUSE_S / 2 <= drawn[-1] <= mqtt.LONGEST_PAUSE_S


def test_a_broker_that_is_not_there_is_waited_for() -> None:
    broker = MqttBroker(_settings(free_port()))
    broker.start()
    until(lambda: broker.state.reason != "not started")
    assert broker.state.reason == "Connection refused"
    broker.stop()


def test_an_unreachable_broker_is_named() -> None:
    port = free_port()
    with pytest.raises(BrokerRefusedError, match=f"127.0.0.1:{port} cannot be reached"):
        try_broker(_settings(port), [])


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    settings = MqttSettings("127.0.0.1", free_port(), "me", tls=Tls(tmp_path / "none.pem"))
    with pytest.raises(BrokerRefusedError, match=r"none\.pem cannot be used"):
        try_broker(settings, [])


def _throw_out(peer: socket.socket) -> None:
    """Lets in, and out again for another of the same name."""
    peer.recv(4096)
    peer.sendall(bytes([0x20, 3, 0, 0, 0]) + bytes([0xE0, 2, 0x8E, 0]))
    peer.recv(4096)


def test_two_with_one_client_id_are_told_so(caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer(_throw_out) as server:
        broker = MqttBroker(_settings(server.port))
        broker.start()
        until(lambda: broker.state.reason.startswith("Session taken over"))
        broker.stop()
    assert "lost: Session taken over: another client uses the name me" in caplog.text


@pytest.mark.parametrize(("steady_s", "series"), [(3600.0, 1), (0.0, 4)])
def test_pauses_begin_anew_only_after_a_connection_that_lasted(
    monkeypatch: pytest.MonkeyPatch, steady_s: float, series: int
) -> None:
    begun: list[int] = []

    def pauses_s() -> Iterator[float]:
        begun.append(1)
        return repeat(0.001)

    monkeypatch.setattr(mqtt, "_pauses_s", pauses_s)
    monkeypatch.setattr(mqtt, "STEADY_S", steady_s)
    with ScriptedServer(_throw_out) as server:
        broker = MqttBroker(_settings(server.port))
        broker.start()
        until(lambda: broker.state.connections >= 4)
        broker.stop()
    assert len(begun) >= series
    assert series > 1 or len(begun) == 1


def test_an_error_that_nobody_foresaw_is_said_and_the_broker_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[int] = []

    def stumble(*_: object, **__: object) -> None:
        tried.append(1)
        raise RuntimeError("boom")

    monkeypatch.setattr(mqtt, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(mqtt, "open_connection", stumble)
    broker = MqttBroker(_settings(1))
    broker.start()
    until(lambda: len(tried) >= 3)
    broker.stop()
    assert broker.state.reason == "internal error: RuntimeError: boom"
    assert caplog.text.count("trying again for ever") == 1
    assert "in stumble" in caplog.text


def test_a_faulty_handler_leaves_the_connection_alive(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def deliver(peer: socket.socket) -> None:
        peer.recv(4096)
        peer.sendall(bytes([0x20, 3, 0, 0, 0]))
        peer.recv(4096)  # SUBSCRIBE
        for payload in b"12":
            peer.sendall(bytes([0x30, 5, 0, 1, ord("t"), 0, payload]))
        peer.recv(4096)

    heard: list[bytes] = []

    def stumble(_topic: str, payload: bytes) -> None:
        heard.append(payload)
        raise RuntimeError("boom")

    with ScriptedServer(deliver) as server:
        broker = MqttBroker(_settings(server.port))
        broker.subscribe("t", stumble)
        broker.start()
        until(lambda: heard == [b"1", b"2"])
        broker.stop()
    assert "the handler of t failed" in caplog.text
