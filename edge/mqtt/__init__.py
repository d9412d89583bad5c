"""The only room that speaks paho: the Broker port over MQTT 5, or 3.1.1 where there is no 5.

MQTT 5 first, because under 3.1.1 a broker swallows a publish that its access list forbids and
still reports success. Every connection is a fresh paho client: nothing that one connection left
unacknowledged is sent again behind the back of the outbox, so no stale state overtakes a newer one.
The session at the broker lives on for a while: its ``session present`` tells whether the broker
itself survived. ``Connection`` makes one connection and returns an error; ``MqttBroker`` owns the
retry; ``try_broker`` looks and leaves.
"""

from edge.mqtt.broker import MqttBroker
from edge.mqtt.settings import MqttSettings, Tls
from edge.mqtt.trial import BrokerReport, try_broker

__all__ = ["BrokerReport", "MqttBroker", "MqttSettings", "Tls", "try_broker"]
