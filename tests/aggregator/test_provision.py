import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from aggregator.participants import read_participants
from aggregator.provision import Site, access_list, broker_config, host_config, prepare, provision
from edge.config import load_config
from edge.errors import BrokerRefusedError, ConfigError, StorageError
from edge.federation.identity import load_identity
from edge.mqtt import MqttBroker, MqttSettings, Tls, try_broker
from edge.wire.broker import Message, Outcome
from edge.wire.envelope import Envelope, ReplayGuard, open_sealed, seal
from edge.wire.federation_topics import AGGREGATOR, FederationTopics
from edge.wire.keys import read_public_key, read_signing_key
from edge.wire.words import WordTopics
from tests.system.broker import MOSQUITTO, Mosquitto

TOPICS = FederationTopics("vad", "site")
WORDS = WordTopics("vad")
PATIENCE_S = 30.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "aggregator", "vad", "site", ["127.0.0.1", "broker.example"])


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_host_gets_everything_it_needs_and_its_secrets_are_its_own(site):
    folder = provision(site, "door")
    secret = {"host.key": 0o600, "signing.key": 0o600}
    public = ["ca.crt", "host.crt", "signing.pub", "aggregator.pub", "edge.yaml"]
    assert modes(folder) == secret | dict.fromkeys(public, 0o644)
    assert modes(site.folder)["ca.key"] == modes(site.folder)["signing.key"] == 0o600
    assert modes(site.folder / "broker")["broker.key"] == 0o600


def test_what_a_provisioned_host_signs_is_believed_and_the_other_way_round(site):
    folder = provision(site, "door")
    door = load_identity(
        "door", signing_key=folder / "signing.key", aggregator_key=folder / "aggregator.pub"
    )
    topic = TOPICS.up("door", "join")
    payload = seal(Envelope("door", "join", 1, 0.0, b"hello"), door.signing_key, topic=topic)
    keys = read_participants(site.participants_file)
    opened = open_sealed(
        payload, topic=topic, sender="door", keys=keys, guard=ReplayGuard(), limit_bytes=100
    )
    assert opened.body == b"hello"
    aggregator = read_signing_key(site.folder / "signing.key")
    assert door.aggregator_key == aggregator.public_key()


def test_keys_are_made_once(site):
    folder = provision(site, "door")
    before = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="door is registered"):
        provision(site, "door")
    prepare(site)
    provision(site, "yard")
    changed = {path for path, content in before.items() if path.read_bytes() != content}
    assert changed == {site.participants_file, site.folder / "broker" / "acl"}
    assert sorted(read_participants(site.participants_file)) == ["door", "yard"]
    assert folder.is_dir()


def test_a_run_that_was_killed_before_it_registered_is_finished_by_the_next(site):
    folder = provision(site, "door")
    key = read_public_key(folder / "signing.pub")
    site.participants_file.unlink()
    (site.folder / "hosts" / ".yard.partial").mkdir()
    (site.folder / "hosts" / ".yard.partial" / "host.key").write_bytes(b"half")
    (site.folder / "aggregator.crt").unlink()
    provision(site, "door")
    provision(site, "yard")
    assert read_participants(site.participants_file)["door"] == key
    assert not list(site.folder.rglob("*.partial"))
    assert (site.folder / "aggregator.crt").exists()


@pytest.mark.parametrize("host", ["aggregator", "round", "fl", "a/b", "#", "+", "", "a b", "x\ny"])
def test_names_that_would_open_other_topics_are_refused(site, host):
    with pytest.raises(ConfigError):
        provision(site, host)
    assert not site.folder.exists()


def test_sites_that_cannot_be_are_refused(site, tmp_path):
    for wrong in (
        replace(site, prefix="a//b"),
        replace(site, federation="#"),
        replace(site, broker_addresses=[]),
        replace(site, broker_addresses=["bröker"]),
    ):
        with pytest.raises(ConfigError):
            provision(wrong, "door")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        provision(replace(site, folder=tmp_path / "file"), "door")


def test_the_pasted_section_is_what_the_host_reads(site):
    folder = provision(site, "door")
    written = yaml.safe_load((folder / "edge.yaml").read_text())
    assert written == host_config(site, "door")
    assert written["mqtt"]["host"] == "127.0.0.1"


def test_a_provisioned_section_is_a_configuration_once_it_has_a_camera(site: Site):
    folder = provision(site, "door")
    path = folder / "edge.yaml"
    cameras = "cameras: {gate: {source: 'synthetic:precinct?seed=1'}}\n"
    path.write_text(path.read_text() + cameras)
    config = load_config(path, {})
    assert config.federation is not None
    assert config.federation.name == site.federation
    assert config.mqtt.tls is not None
    assert config.mqtt.tls.cert is not None


def test_each_host_has_a_section_of_its_own():
    text = access_list("vad", "site", ["yard", "door"])
    sections = text.split("\n\n")
    assert [section.splitlines()[0] for section in sections] == [
        "user aggregator",
        "user door",
        "user yard",
    ]
    assert "yard" not in sections[1]
    assert not any("write" in line and "+/up" in line for line in text.splitlines())


class Provisioned(Mosquitto):
    """A broker with the very files that were made for it."""

    def __init__(self, folder: Path, files: Path) -> None:
        super().__init__(folder)
        config = broker_config(self.port, str(files))
        self._config.write_text(config + "user root\n")  # or it could not read a test's folder


needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@pytest.fixture
def broker(tmp_path: Path, site: Site) -> Iterator[Mosquitto]:
    provision(site, "door")
    provision(site, "yard")
    with Provisioned(tmp_path, site.folder / "broker") as server:
        yield server


def settings(broker: Mosquitto, name: str, files: Path, stem: str) -> MqttSettings:
    tls = Tls(files / "ca.crt", files / f"{stem}.crt", files / f"{stem}.key")
    return MqttSettings("127.0.0.1", broker.port, name, tls=tls, connect_timeout_s=5.0)


def of_host(broker: Mosquitto, site: Site, host: str) -> MqttSettings:
    return settings(broker, host, site.host_folder(host), "host")


def of_aggregator(broker: Mosquitto, site: Site) -> MqttSettings:
    return settings(broker, AGGREGATOR, site.folder, AGGREGATOR)


def outcomes(settings: MqttSettings, topics: list[str]) -> dict[str, bool]:
    """Topic → whether the broker took a publish to it; refusals must say why."""
    report = try_broker(settings, [Message(topic, b"x") for topic in topics])
    assert report.protocol == "MQTT 5"
    for _, receipt in report.receipts:
        refused = receipt.outcome is Outcome.REFUSED
        assert refused == (receipt.reason == "Not authorized")  # PUBACK 135
    return {
        topic: receipt.outcome is not Outcome.REFUSED
        for topic, (_, receipt) in zip(topics, report.receipts, strict=True)
    }


@pytest.mark.system
@needs_mosquitto
def test_a_host_may_say_what_is_its_own_and_nothing_else(broker, site):
    own = [TOPICS.up("door", "update"), TOPICS.blob("door", "ab", 0), "vad/door/events"]
    own += ["homeassistant/binary_sensor/vad-door/front-anomaly/config", WORDS.ask("door")]
    foreign = [
        TOPICS.up("yard", "update"),
        TOPICS.blob("yard", "ab", 0),
        TOPICS.blob(AGGREGATOR, "ab", 0),
        TOPICS.cluster_blob(3, "ab", 0),
        TOPICS.down("door", "accepted"),
        TOPICS.round,
        "vad/yard/events",
        WORDS.answer("yard"),
        "homeassistant/binary_sensor/vad-yard/front-anomaly/config",
        "vad/fl/elsewhere/door/up/update",
        "anything",
    ]
    expected = dict.fromkeys(own, True) | dict.fromkeys(foreign, False)
    assert outcomes(of_host(broker, site, "door"), own + foreign) == expected


@pytest.mark.system
@needs_mosquitto
def test_the_aggregator_may_answer_and_not_speak_for_hosts(broker, site):
    own = [TOPICS.round, TOPICS.down("door", "accepted"), TOPICS.blob(AGGREGATOR, "ab", 0)]
    own += [TOPICS.cluster_blob(3, "ab", 0), WORDS.answer("door")]
    foreign = [TOPICS.up("door", "update"), TOPICS.blob("door", "ab", 0), "vad/door/events"]
    foreign += [WORDS.ask("door"), "vad/door/front/guidance/set"]
    expected = dict.fromkeys(own, True) | dict.fromkeys(foreign, False)
    assert outcomes(of_aggregator(broker, site), own + foreign) == expected


@pytest.mark.system
@needs_mosquitto
# paho leaves the socket of a failed handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_comes_in_without_a_certificate_of_the_site(broker, site, tmp_path):
    bare = replace(of_host(broker, site, "door"), tls=Tls(site.folder / "ca.crt"))
    with pytest.raises(BrokerRefusedError):
        try_broker(bare, [])
    other = replace(site, folder=tmp_path / "other")
    provision(other, "door")
    foreign = of_host(broker, other, "door")
    assert foreign.tls is not None
    with pytest.raises(BrokerRefusedError):
        try_broker(replace(foreign, tls=replace(foreign.tls, ca_file=site.folder / "ca.crt")), [])
    with pytest.raises(BrokerRefusedError):  # nor does a host believe a foreign broker
        try_broker(foreign, [])


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


@contextlib.contextmanager
def connected(settings: MqttSettings) -> Iterator[MqttBroker]:
    client = MqttBroker(settings)
    client.start()
    try:
        until(lambda: client.state.connected)
        yield client
    finally:
        client.stop()


@pytest.mark.system
@needs_mosquitto
def test_a_host_hears_what_is_meant_for_it_and_not_what_is_for_others(broker, site):
    heard: list[str] = []
    told = [TOPICS.down("yard", "accepted"), TOPICS.down("door", "accepted"), TOPICS.round]
    told.append(TOPICS.cluster_blob(3, "ab", 0))
    told.append(TOPICS.blob(AGGREGATOR, "ab", 0))  # last: when it came, all before have come
    acknowledged: list[Outcome] = []
    with (
        connected(of_host(broker, site, "door")) as door,
        connected(of_aggregator(broker, site)) as aggregator,
    ):
        for topic in told:
            door.subscribe(topic, lambda topic, _: heard.append(topic))
        until(lambda: broker.log().count("Received SUBSCRIBE from door") == len(told))
        for topic in told:
            aggregator.publish(
                Message(topic, b"x"), lambda receipt: acknowledged.append(receipt.outcome)
            )
        until(lambda: told[-1] in heard)
    assert heard == told[1:]
