"""The files in configs/ that other programs read: mosquitto's and systemd's own word on them."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.alerts.homeassistant import discovery_messages
from edge.config import load_config
from edge.mqtt import MqttSettings, Tls, try_broker
from edge.wire.broker import Message, Outcome
from edge.wire.topics import Topics
from tests.system.broker import MOSQUITTO, Authority, Mosquitto, free_port

pytestmark = pytest.mark.system
SECRETS = "VAD_EDGE_MQTT_PASSWORD", "VAD_EDGE_GATE_PASSWORD", "VAD_EDGE_YARD_PASSWORD"
CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = load_config(CONFIGS / "edge.yaml", dict.fromkeys(SECRETS, "secret"))
TOPICS = Topics(SHIPPED.mqtt.prefix, SHIPPED.host)
PASSWORDS = {SHIPPED.mqtt.username: "one", "homeassistant": "two", "viewer": "three"}


class ShippedMosquitto(Mosquitto):
    """The shipped configuration, word for word but for where its files are and its port."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.port = free_port()
        server = authority.issue("server")
        self._folder = folder
        text = (CONFIGS / "mosquitto.conf").read_text()
        for shipped, ours in {
            "listener 8883": f"user root\nlistener {self.port} 127.0.0.1",
            "password_file /etc/mosquitto/vad-edge.passwords": (
                f"password_file {self._passwords(PASSWORDS)}"
            ),
            "/etc/mosquitto/certs/server.crt": server.cert_file,
            "/etc/mosquitto/certs/server.key": server.key_file,
            "/etc/mosquitto/vad-edge.acl": CONFIGS / "mosquitto.acl",
            "/var/lib/mosquitto/": f"{folder}/",
        }.items():
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, str(ours))
        self._config = folder / "mosquitto.conf"
        self._config.write_text(text)
        self._process = None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def broker(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    with ShippedMosquitto(tmp_path, authority) as running:
        yield running


def outcomes(broker: Mosquitto, authority: Authority, user: str, *topics: str) -> list[Outcome]:
    settings = MqttSettings(
        "127.0.0.1",
        broker.port,
        client_id=user,
        username=user,
        password=PASSWORDS[user],
        tls=Tls(authority.ca_file),
    )
    report = try_broker(settings, [Message(topic, b"{}") for topic in topics])
    return [receipt.outcome for _, receipt in report.receipts]


def test_a_host_may_say_all_that_is_its_own_and_nothing_else(
    broker: Mosquitto, authority: Authority
) -> None:
    discovery = discovery_messages(TOPICS, ["gate"], version="1", with_snapshots=True)
    own = [TOPICS.stats, TOPICS.events, TOPICS.status("gate"), *(topic for topic, _ in discovery)]
    said = outcomes(broker, authority, SHIPPED.mqtt.username, *own, "vad/other/stats", "elsewhere")
    assert Outcome.REFUSED not in said[:-2]
    assert said[-2:] == [Outcome.REFUSED] * 2


def test_one_may_switch_cameras_and_another_only_look(
    broker: Mosquitto, authority: Authority
) -> None:
    topics = TOPICS.detect_set("gate"), TOPICS.guidance_set("gate"), TOPICS.events
    *commands, forge = outcomes(broker, authority, "homeassistant", *topics)
    assert Outcome.REFUSED not in commands
    assert forge is Outcome.REFUSED
    assert outcomes(broker, authority, "viewer", *topics) == [Outcome.REFUSED] * 3


def test_the_broker_warns_of_nothing(broker: Mosquitto) -> None:
    warnings = [line for line in broker.log().splitlines() if "Warning" in line]
    assert [line for line in warnings if "run as root" not in line] == []  # that is the test's


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    unit = tmp_path / "vad-edge.service"
    text = (CONFIGS / "vad-edge.service").read_text()
    shipped = "/opt/vad-edge/bin/vad-edge"
    assert f"ExecStart={shipped} run -c " in text
    unit.write_text(text.replace(f"ExecStart={shipped}", f"ExecStart={sys.executable}"))
    done = subprocess.run(
        [analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    about_it = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, about_it) == (0, [])
