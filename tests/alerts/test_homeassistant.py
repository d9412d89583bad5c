"""Keys and rules are those of the MQTT pages of home-assistant.io: discovery, binary sensor,
sensor, switch, image."""

import json

import pytest

from edge.alerts.homeassistant import discovery_messages
from edge.errors import ConfigError
from edge.wire.states import CameraStatus
from edge.wire.topics import Topics

COMMON = {"unique_id", "name", "availability", "device", "origin", "entity_category", "icon"}
KEYS = {
    "binary_sensor": COMMON | {"state_topic", "payload_on", "payload_off", "device_class"},
    "sensor": COMMON
    | {"state_topic", "value_template", "state_class", "suggested_display_precision"}
    | {"expire_after", "device_class", "options"},
    "switch": COMMON | {"command_topic", "state_topic", "payload_on", "payload_off"},
    "image": COMMON | {"image_topic", "content_type"},
}
REQUIRED = {
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "switch": {"command_topic"},
    "image": {"image_topic"},
}
TOPICS = Topics("site/vad", "host-1")


def messages(with_snapshots=True):
    found = discovery_messages(
        TOPICS, ["door", "yard"], version="1.0", with_snapshots=with_snapshots
    )
    return {topic: json.loads(payload) for topic, payload in found}


def test_every_key_is_one_that_home_assistant_documents():
    for topic, config in messages().items():
        component = topic.split("/")[1]
        assert REQUIRED[component] <= set(config) <= KEYS[component]
        assert set(config["availability"][0]) <= {"topic", "value_template"}
        assert set(config["device"]) <= {
            "identifiers", "name", "manufacturer", "model", "sw_version",
        }  # fmt: skip


def test_topics_have_the_documented_form_and_ids_are_unique():
    found = messages()
    for topic in found:
        prefix, component, node, entity, last = topic.split("/")
        assert (prefix, last) == ("homeassistant", "config")
        assert component in KEYS
        assert node
        assert entity
    assert len({config["unique_id"] for config in found.values()}) == len(found) == 10


def test_all_entities_belong_to_one_device_and_follow_the_hosts_availability():
    found = messages().values()
    assert len({json.dumps(config["device"]) for config in found}) == 1
    assert {config["availability"][0]["topic"] for config in found} == {TOPICS.available}


def test_states_are_read_from_where_they_are_published():
    found = messages()
    door = {config["name"]: config for config in found.values()}
    assert door["door anomaly"]["state_topic"] == TOPICS.anomaly("door")
    assert door["door detect"]["command_topic"] == TOPICS.detect_set("door")
    assert set(door["door status"]["options"]) == {status.value for status in CameraStatus}


def test_pictures_are_announced_only_where_they_are_published():
    assert any("/image/" in topic for topic in messages(with_snapshots=True))
    assert not any("/image/" in topic for topic in messages(with_snapshots=False))


def test_a_wrong_discovery_prefix_is_refused():
    with pytest.raises(ConfigError):
        list(
            discovery_messages(
                TOPICS, ["door"], version="1", with_snapshots=False, discovery_prefix="a b"
            )
        )
