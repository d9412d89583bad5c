"""One connection to see what a broker permits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from edge.mqtt.connection import Connection, open_connection
from edge.mqtt.settings import MqttSettings
from edge.wire.broker import Message, Outcome, Receipt


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """What one trial connection found."""

    protocol: str  # "MQTT 5"
    max_packet_bytes: int | None  # None: the broker names no limit, or cannot (3.1.1)
    receipts: tuple[tuple[str, Receipt], ...]  # topic and outcome of each probe, in order


def try_broker(settings: MqttSettings, probes: Sequence[Message]) -> BrokerReport:
    """Connect once, publish ``probes``, report; bounded by the connect timeout for each step.

    Raises BrokerRefusedError. Choose probes that disturb nobody (not retained), and a client id of
    its own, or a running service is thrown out. Under MQTT 3.1.1 every probe looks permitted.
    """
    connection = open_connection(
        settings, will=None, on_message=lambda *_: None, on_end=lambda: None
    )
    try:
        receipts = [(m.topic, _publish_and_wait(connection, m, settings)) for m in probes]
    finally:
        connection.close(None)
    return BrokerReport(connection.protocol_name, connection.max_packet_bytes, tuple(receipts))


def _publish_and_wait(connection: Connection, probe: Message, settings: MqttSettings) -> Receipt:
    answer: list[Receipt] = []
    answered = threading.Event()

    def keep(receipt: Receipt) -> None:
        answer.append(receipt)
        answered.set()

    connection.publish(probe, keep)
    if not answered.wait(settings.connect_timeout_s):
        return Receipt(Outcome.LOST, "no acknowledgement")
    return answer[0]
