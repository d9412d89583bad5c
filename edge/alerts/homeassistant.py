"""Home Assistant finds this host by itself: MQTT discovery, one retained message per entity.

Source: home-assistant.io/integrations/mqtt, "MQTT discovery", and the pages of the MQTT binary
sensor, sensor, switch and image. A camera gives four entities, all of one device, the host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from edge.wire.states import CameraStatus
from edge.wire.topics import Topics, check_id

DISCOVERY_PREFIX = "homeassistant"
SCORE_EXPIRES_S = 60  # without a score for so long the entity is "unavailable"

_Config = dict[str, Any]


def discovery_messages(
    topics: Topics,
    cameras: Sequence[str],
    *,
    version: str,
    with_snapshots: bool,  # the pictures are published
    discovery_prefix: str = DISCOVERY_PREFIX,
) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of every entity; to be published retained."""
    for level in discovery_prefix.split("/"):
        check_id(level, f"level of the discovery prefix {discovery_prefix!r}:")
    shared = _shared(topics, version)
    for camera in cameras:
        entities = _entities(topics, camera)
        if with_snapshots:
            entities["image", "snapshot"] = _image(topics, camera)
        for (component, what), config in entities.items():
            node = f"{topics.prefix.replace('/', '-')}-{topics.host}"
            topic = f"{discovery_prefix}/{component}/{node}/{camera}-{what}/config"
            unique = {"unique_id": f"{node}-{camera}-{what}", "name": f"{camera} {what}"}
            yield topic, json.dumps({**unique, **config, **shared}).encode()


def _shared(topics: Topics, version: str) -> _Config:
    """What all entities of a host have in common."""
    return {
        "availability": [
            {
                "topic": topics.available,
                # a clean stop says "stopped", which Home Assistant does not know
                "value_template": "{{ 'online' if value == 'online' else 'offline' }}",
            }
        ],
        "device": {
            "identifiers": [f"vad-edge-{topics.prefix}-{topics.host}"],
            "name": topics.host,
            "manufacturer": "vad-edge",
            "model": "video anomaly detection",
            "sw_version": version,
        },
        "origin": {"name": "vad-edge", "sw_version": version},
    }


def _entities(topics: Topics, camera: str) -> dict[tuple[str, str], _Config]:
    """The four entities of a camera, by component and name."""
    return {
        ("binary_sensor", "anomaly"): {
            "state_topic": topics.anomaly(camera),
            "payload_on": "ON",
            "payload_off": "OFF",
            "device_class": "problem",
        },
        ("sensor", "score"): {
            "state_topic": topics.score(camera),
            "value_template": "{{ value_json.score }}",
            "state_class": "measurement",
            "suggested_display_precision": 1,
            "expire_after": SCORE_EXPIRES_S,
        },
        ("sensor", "status"): {
            "state_topic": topics.status(camera),
            "device_class": "enum",
            "options": [status.value for status in CameraStatus],
            "entity_category": "diagnostic",
        },
        ("switch", "detect"): {
            "command_topic": topics.detect_set(camera),
            "state_topic": topics.detect_state(camera),
            "payload_on": "ON",
            "payload_off": "OFF",
            "entity_category": "config",
        },
    }


def _image(topics: Topics, camera: str) -> _Config:
    return {"image_topic": topics.snapshot(camera), "content_type": "image/jpeg"}
