"""The Broker port over MQTT: a connection that is kept up, or tried again for ever."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from edge.errors import BrokerRefusedError
from edge.mqtt.connection import Connection, open_connection
from edge.mqtt.settings import MqttSettings, SaidNoError
from edge.wire.broker import (
    Broker,
    LinkState,
    Message,
    MessageHandler,
    Outcome,
    Receipt,
    ReceiptHandler,
    matches,
)

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
REFUSED_PAUSE_S = 60.0  # a wrong password does not become right by asking often
STEADY_S = 10.0  # a connection that ends sooner has not shown that the next one will last
SESSION_S = 600  # how long the broker remembers us, and keeps commands, while we are away
_TAKEN_OVER = "Session taken over"


def _pauses_s() -> Iterator[float]:
    """Exponential with jitter, so that a hundred hosts do not return in the same instant."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s * random.uniform(0.5, 1.0)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


class MqttBroker(Broker):
    """A connection that is kept up, or tried again for ever."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        will: Message | None = None,  # the broker sends it when we vanish
        birth: Message | None = None,  # sent at every connect
        farewell: Message | None = None,  # sent at a clean stop
    ) -> None:
        self._settings = settings
        self._will, self._birth, self._farewell = will, birth, farewell
        self._handlers: dict[str, MessageHandler] = {}
        self._connection: Connection | None = None
        self._state = LinkState(connected=False, connections=0, protocol="", reason="not started")
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    @property
    def state(self) -> LinkState:
        """How the connection stands now."""
        return self._state

    def start(self) -> None:
        """Begin to connect; returns at once, whether a broker is there or not."""
        self._thread.start()

    def stop(self) -> None:
        """Say farewell, disconnect, wait for the threads."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def publish(self, message: Message, on_receipt: ReceiptHandler) -> None:
        """Send; ``on_receipt`` is called once, perhaps before this returns."""
        connection = self._connection
        if connection is None:
            on_receipt(Receipt(Outcome.LOST, "not connected"))
        else:
            connection.publish(message, on_receipt)

    def subscribe(self, topic: str, on_message: MessageHandler) -> None:
        """Listen to ``topic``, now and after every reconnect."""
        self._handlers[topic] = on_message
        connection = self._connection
        if connection is not None:
            connection.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """Listen to ``topic`` no more."""
        if self._handlers.pop(topic, None) is not None and self._connection is not None:
            self._connection.unsubscribe(topic)

    def _run(self) -> None:
        pauses_s = _pauses_s()
        while not self._stopping.is_set():
            try:
                if self._live() >= STEADY_S:
                    pauses_s = _pauses_s()
                pause_s = next(pauses_s)
            except BrokerRefusedError as error:
                said_no = isinstance(error, SaidNoError)
                pause_s = REFUSED_PAUSE_S if said_no else next(pauses_s)
                self._lose(error.reason, f"{error}; trying again for ever")
            except Exception as error:  # the thread's boundary: nobody else would connect again
                pause_s = next(pauses_s)
                why = f"internal error: {type(error).__name__}: {error}"
                self._lose(why, f"MQTT: {why}; trying again for ever", error)
            self._stopping.wait(pause_s)

    def _live(self) -> float:
        """One connection, from the broker's yes to its end; how many seconds it lived."""
        self._wake.clear()
        connection = open_connection(
            self._settings,
            will=self._will,
            on_message=self._dispatch,
            on_end=self._wake.set,
            session_s=SESSION_S,
        )
        began_s = time.monotonic()
        try:
            self._welcome(connection)
            while not (self._stopping.is_set() or connection.ended.is_set()):
                self._wake.wait()
                self._wake.clear()
        finally:
            lived_s = time.monotonic() - began_s
            self._leave(connection)
        return lived_s

    def _leave(self, connection: Connection) -> None:
        self._connection = None
        if self._stopping.is_set():
            connection.close(self._farewell)
            self._lose("stopped", "MQTT: disconnected")
        else:
            connection.abort()
            why = self._explained(connection.end_reason)
            self._lose(why, f"MQTT: connection to {self._settings.place} lost: {why}")

    def _explained(self, reason: str) -> str:
        if reason != _TAKEN_OVER:
            return reason
        name = self._settings.client_id
        return f"{reason}: another client uses the name {name}: give each host its own host:"

    def _welcome(self, connection: Connection) -> None:
        protocol = connection.protocol_name
        log.info("MQTT: connected to %s with %s", self._settings.place, protocol)
        if not connection.tells_refusals:
            log.warning(
                "MQTT: the broker does not speak MQTT 5: a publish that its access list forbids "
                "will look like a success"
            )
        if self._birth is not None:
            connection.publish(self._birth, self._note_birth)
        self._connection = connection
        for topic in list(self._handlers):
            connection.subscribe(topic)
        connections = self._state.connections + 1
        self._state = LinkState(
            True, connections, protocol, "", connection.max_in_flight, connection.remembered
        )

    def _note_birth(self, receipt: Receipt) -> None:
        if receipt.outcome is Outcome.REFUSED:
            log.error("MQTT: the broker refuses our availability message: %s", receipt.reason)

    def _lose(self, reason: str, message: str, error: Exception | None = None) -> None:
        """Note why there is no connection; say it once, not at every attempt."""
        if reason != self._state.reason:
            log.warning(message, exc_info=error)
        self._state = replace(self._state, connected=False, reason=reason)

    def _dispatch(self, topic: str, payload: bytes) -> None:
        for topic_filter, handler in list(self._handlers.items()):
            if matches(topic_filter, topic):
                handler(topic, payload)
