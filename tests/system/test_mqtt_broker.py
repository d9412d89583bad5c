"""Alerts against a real mosquitto: TLS, access lists, passwords, and a broker killed in a burst."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.alerts import publisher as publisher_module
from edge.alerts.outbox import Outbox
from edge.alerts.publisher import Publisher
from edge.domain.alert import Transition, TransitionKind
from edge.errors import BrokerRefusedError
from edge.mqtt import MqttBroker, MqttSettings, Tls, try_broker
from edge.wire.broker import Message, Outcome
from edge.wire.events import decode_event
from edge.wire.states import AVAILABLE, GONE, STOPPED
from edge.wire.topics import Topics
from tests.fakes.scores import story
from tests.system.broker import MOSQUITTO, Authority, Mosquitto

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
TOPICS = Topics("vad", "h")
PATIENCE_S = 30.0
ACL = "user camera-host\ntopic write vad/h/#\nuser reader\ntopic read vad/h/#\n"


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def guarded(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    """TLS, client certificates, an access list."""
    with Mosquitto(
        tmp_path,
        tls=authority.issue("server"),
        ca_file=authority.ca_file,
        require_certificate=True,
        acl=ACL,
        # all that a subscriber may have to wait for is on its socket before we get our PUBACK
        extra="max_inflight_messages 0",
    ) as server:
        yield server


@contextlib.contextmanager
def connected(
    server: Mosquitto, authority: Authority, name: str, **messages: Message
) -> Iterator[MqttBroker]:
    broker = MqttBroker(settings(server, authority, name), **messages)
    broker.start()
    try:
        until(lambda: broker.state.connected)
        yield broker
    finally:
        broker.stop()


def settings(server: Mosquitto, authority: Authority, name: str) -> MqttSettings:
    own = authority.issue(name)
    tls = Tls(authority.ca_file, own.cert_file, own.key_file)
    return MqttSettings("127.0.0.1", server.port, name, tls=tls, connect_timeout_s=5.0)


def test_the_trial_tells_what_is_permitted(guarded: Mosquitto, authority: Authority) -> None:
    probes = [Message(TOPICS.stats, b"{}"), Message("elsewhere", b"{}")]
    report = try_broker(settings(guarded, authority, "camera-host"), probes)
    assert report.protocol == "MQTT 5"
    (_, allowed), (_, denied) = report.receipts
    assert allowed.outcome in (Outcome.ACCEPTED, Outcome.UNHEARD)
    assert (denied.outcome, denied.reason) == (Outcome.REFUSED, "Not authorized")


def test_an_access_list_that_is_mended_lets_the_kept_alert_through(
    guarded: Mosquitto, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "REFUSED_PAUSE_S", 0.05)
    monkeypatch.setattr(publisher_module, "UNHEARD_PAUSE_S", 0.05)
    guarded.allow("user reader\ntopic read vad/h/#\n")
    with (
        alerts(guarded, authority, tmp_path) as (outbox, publisher),
        listening(guarded, authority) as told,
    ):
        start_s = round(time.time(), 6)
        outbox.record(story(start_s), now_s=start_s)
        until(lambda: publisher.problems != [])
        assert publisher.problems == [f"broker refuses {TOPICS.events}: Not authorized"]
        assert (publisher.pending, told) == (3, [])
        guarded.allow(ACL)
        until(lambda: len(told) == 3)
        assert [t.kind for t in told] == [t.kind for t in story()]


@contextlib.contextmanager
def alerts(
    server: Mosquitto, authority: Authority, folder: Path
) -> Iterator[tuple[Outbox, Publisher]]:
    """The sending half of a camera host."""
    outbox = Outbox(folder / "outbox.sqlite")
    stop = threading.Event()
    with connected(server, authority, "camera-host") as broker:
        publisher = Publisher(broker, outbox, events_topic=TOPICS.events)
        thread = threading.Thread(target=publisher.run, args=(stop,))
        thread.start()
        try:
            yield outbox, publisher
        finally:
            stop.set()
            thread.join()
            outbox.close()


@contextlib.contextmanager
def listening(server: Mosquitto, authority: Authority) -> Iterator[list[Transition]]:
    told: list[Transition] = []
    with connected(server, authority, "reader") as reader:
        reader.subscribe(TOPICS.events, lambda _, payload: told.append(decode_event(payload)))
        yield told


def test_a_broker_killed_in_a_burst_loses_no_event_and_doubles_none(
    guarded: Mosquitto, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "UNHEARD_PAUSE_S", 0.05)
    start_s = round(time.time(), 6)
    stories = [story(start_s + n, updates=1) for n in range(300)]
    with (
        listening(guarded, authority) as told,
        alerts(guarded, authority, tmp_path) as (outbox, publisher),
    ):
        for kills, one in enumerate(stories, start=1):
            outbox.record(one, now_s=start_s)
            publisher.notify()
            if kills % 100 == 0:
                until(lambda kills=kills: len(told) >= (kills - 60) * 3)
                guarded.kill()
                guarded.start()
        until(lambda: publisher.pending == 0)
        until(lambda: {t.after.id for t in told} == {s[0].after.id for s in stories})
        until(lambda: len(set(map(_identity, told))) == 900)
    for one in stories:
        heard = [t for t in told if t.after.id == one[0].after.id]
        assert list(dict.fromkeys(map(_identity, heard))) == list(map(_identity, one))


def _identity(transition: Transition) -> tuple[str, TransitionKind, float]:
    """What the documentation tells consumers to recognise repeats by."""
    return transition.after.id, transition.kind, round(transition.after.updated_time_s, 6)


def test_the_last_will_the_birth_and_the_farewell(tmp_path: Path) -> None:
    heard: list[bytes] = []
    said = {
        word: Message(TOPICS.available, payload, retain=True)
        for word, payload in (("will", GONE), ("birth", AVAILABLE), ("farewell", STOPPED))
    }
    with Mosquitto(tmp_path) as server:
        reader = MqttBroker(MqttSettings("127.0.0.1", server.port, "reader"))
        reader.subscribe(TOPICS.available, lambda _, payload: heard.append(payload))
        reader.start()
        until(lambda: reader.state.connected)
        host = MqttBroker(MqttSettings("127.0.0.1", server.port, "host"), **said)
        host.start()
        until(lambda: heard == [AVAILABLE])
        assert host._connection is not None
        host._connection.abort()  # the network cable
        until(lambda: heard == [AVAILABLE, GONE, AVAILABLE])
        host.stop()
        until(lambda: heard[-1] == STOPPED)
        reader.stop()
    assert heard == [AVAILABLE, GONE, AVAILABLE, STOPPED]


def test_a_wrong_password_is_refused_with_the_brokers_word(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords={"cam": "right"}) as server:

        def as_user(password: str) -> MqttSettings:
            return MqttSettings("127.0.0.1", server.port, "c", username="cam", password=password)

        with pytest.raises(BrokerRefusedError) as raised:
            try_broker(as_user("wrong-secret"), [])
        assert raised.value.reason == "Not authorized"
        assert "wrong-secret" not in str(raised.value)
        assert try_broker(as_user("right"), []).protocol == "MQTT 5"


# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_certificate_that_is_not_trusted_or_expired_is_named(
    tmp_path: Path, authority: Authority
) -> None:
    stranger = Authority(tmp_path, "other CA")
    with Mosquitto(tmp_path, tls=authority.issue("old-server", expired=True)) as server:
        for ca_file, why in (
            (authority.ca_file, "certificate has expired"),
            (stranger.ca_file, "unable to get local issuer|self-signed"),
        ):
            one = MqttSettings("127.0.0.1", server.port, "c", tls=Tls(ca_file))
            with pytest.raises(BrokerRefusedError, match=f"is not trusted.*({why})"):
                try_broker(one, [])


def test_a_missing_client_certificate_is_hinted_at(
    guarded: Mosquitto, authority: Authority
) -> None:
    anonymous = MqttSettings("127.0.0.1", guarded.port, "c", tls=Tls(authority.ca_file))
    with pytest.raises(BrokerRefusedError, match="ask for TLS or a certificate"):
        try_broker(anonymous, [])


def test_a_message_above_the_brokers_limit_is_refused_before_it_breaks_the_connection(
    tmp_path: Path,
) -> None:
    with Mosquitto(tmp_path, extra="max_packet_size 2000") as server:
        one = MqttSettings("127.0.0.1", server.port, "c")
        report = try_broker(one, [Message("t", b"x" * 5000), Message("t", b"x" * 100)])
    assert report.max_packet_bytes == 2000
    assert [r.outcome for _, r in report.receipts] == [Outcome.REFUSED, Outcome.UNHEARD]
