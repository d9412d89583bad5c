"""One MQTT connection; the only module that imports paho."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import BrokerRefusedError
from edge.mqtt.settings import MqttSettings, cause, refused
from edge.wire.broker import Message, MessageHandler, Outcome, Receipt, ReceiptHandler

log = logging.getLogger(__name__)

PROTOCOL_NAMES = {MQTTProtocolVersion.MQTTv5: "MQTT 5", MQTTProtocolVersion.MQTTv311: "MQTT 3.1.1"}
FAREWELL_S = 2.0  # how long ``stop`` waits for the broker to take the last message
MAX_IN_FLIGHT = 100  # well below the 1000 above which mosquitto drops for slow subscribers
_HEADER_BYTES = 64  # more than any PUBLISH header without its topic
_PUBACK_NO_SUBSCRIBERS = 16
_FIRST_FAILURE = 128  # MQTT 5: reason codes from here on are failures
_UNSUPPORTED = "Unsupported protocol version"
_NO_CONNACK = "no answer to CONNECT"


class Connection:
    """One connection from CONNECT to its end; it is never tried again."""

    def __init__(
        self,
        settings: MqttSettings,
        protocol: MQTTProtocolVersion,
        *,
        will: Message | None,
        on_message: MessageHandler,
        on_end: Callable[[], None],
        session_s: int,  # 0: the session ends with the connection
    ) -> None:
        self.remembered = False  # the broker still had our session
        self.protocol_name = PROTOCOL_NAMES[protocol]
        self.tells_refusals = protocol == MQTTProtocolVersion.MQTTv5
        self._protocol = protocol
        self.max_packet_bytes: int | None = None  # None: the broker named no limit
        self.max_in_flight = MAX_IN_FLIGHT
        self.ended = threading.Event()
        self.end_reason = ""
        self._settings = settings
        self._session_s = session_s
        self._answered = threading.Event()
        self._refusal: str | None = _NO_CONNACK
        self._on_message = on_message
        self._on_end = on_end
        self._lock = threading.Lock()  # never held while paho is called: it calls back under locks
        self._pending: dict[int, ReceiptHandler] = {}
        self._early: dict[int, Receipt] = {}  # acknowledged before ``publish`` knew the id
        self._subscriptions: dict[int, str] = {}
        self._client = self._make_client(will)

    def _make_client(self, will: Message | None) -> paho.Client:
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=self._protocol,
            reconnect_on_failure=False,
            clean_session=None if self._protocol == MQTTProtocolVersion.MQTTv5 else True,
        )
        client.suppress_exceptions = True  # a fault in a callback is logged, not paho's end
        client.enable_logger(log)
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            client.tls_set_context(settings.tls.context())
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._acknowledged
        client.on_subscribe = self._subscribed
        client.on_message = self._received
        return client

    def open(self) -> None:
        """Connect and wait for the broker's word; BrokerRefusedError where it is not yes."""
        settings = self._settings
        try:
            if self._protocol == MQTTProtocolVersion.MQTTv5:
                session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
                session.SessionExpiryInterval = self._session_s
                self._client.connect(
                    settings.host,
                    settings.port,
                    settings.keepalive_s,
                    clean_start=self._session_s == 0,
                    properties=session,
                )
            else:
                self._client.connect(settings.host, settings.port, settings.keepalive_s)
        except ssl.SSLCertVerificationError as error:
            raise refused(f"{settings.place} is not trusted", cause(error)) from None
        except (OSError, ValueError) as error:
            what = f"MQTT: {settings.place} cannot be reached: {cause(error)}"
            raise BrokerRefusedError(what, cause(error)) from None
        self._client.loop_start()
        self._answered.wait(settings.connect_timeout_s)
        if self._refusal is None:
            return
        self.abort()
        if self._refusal == _NO_CONNACK:
            what = f"MQTT: {settings.place}: {_NO_CONNACK}; does it ask for TLS or a certificate?"
            raise BrokerRefusedError(what, _NO_CONNACK)
        raise refused(f"{settings.place} refuses the connection", self._refusal)

    def publish(self, message: Message, on_receipt: ReceiptHandler) -> None:
        """Send; the receipt comes once, from paho's thread or at once."""
        unfit = self._unfit(message)
        if unfit is not None:
            on_receipt(unfit)
            return
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        with self._lock:
            lost = self.ended.is_set() or info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS
            receipt = self._early.pop(info.mid, None)
            if receipt is None and lost:
                receipt = Receipt(Outcome.LOST, "not connected")
            if receipt is None:
                self._pending[info.mid] = on_receipt
        if receipt is not None:
            on_receipt(receipt)

    def _unfit(self, message: Message) -> Receipt | None:
        """Why the broker must not be asked at all: it would answer by closing the connection."""
        size = len(message.payload) + len(message.topic) + _HEADER_BYTES
        if self.max_packet_bytes is not None and size > self.max_packet_bytes:
            return Receipt(Outcome.REFUSED, f"larger than the {self.max_packet_bytes} bytes taken")
        if len(self._pending) >= self.max_in_flight:
            return Receipt(Outcome.LOST, "too many messages in flight")
        return None

    def subscribe(self, topic: str) -> None:
        """Ask for a topic; a refusal is logged."""
        code, mid = self._client.subscribe(topic, qos=1)
        if code == MQTTErrorCode.MQTT_ERR_SUCCESS and mid is not None:
            self._subscriptions[mid] = topic

    def unsubscribe(self, topic: str) -> None:
        """Have the broker send no more of a topic."""
        self._client.unsubscribe(topic)

    def close(self, farewell: Message | None) -> None:
        """Send the last message, disconnect in order (so that no last will is sent), wait."""
        if farewell is not None and not self.ended.is_set():
            taken = threading.Event()
            self.publish(farewell, lambda _: taken.set())
            taken.wait(FAREWELL_S)
        self._client.disconnect()
        self.ended.wait(FAREWELL_S)
        self.abort()

    def abort(self) -> None:
        """Drop the connection whatever its state and wait for paho's thread."""
        stream = self._client.socket()
        if isinstance(stream, socket.socket):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError as error:  # the other side was faster
                log.debug("MQTT: socket was closed already: %s", error)
        self._client.loop_stop()
        self._end("closed")
        client = self._client  # no cycle with us: paho closes its wake-up sockets when it is freed
        client.on_connect = client.on_disconnect = client.on_publish = None
        client.on_subscribe = client.on_message = None

    # Callbacks: paho's thread, under paho's locks.

    def _connected(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.ConnectFlags,
        code: ReasonCode,
        limits: Properties | None,
    ) -> None:
        self._refusal = str(code) if code.is_failure else None
        self.remembered = flags.session_present
        self.max_packet_bytes = getattr(limits, "MaximumPacketSize", None)
        self.max_in_flight = min(MAX_IN_FLIGHT, getattr(limits, "ReceiveMaximum", MAX_IN_FLIGHT))
        self._answered.set()

    def _disconnected(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        self._end(str(code))
        self._answered.set()

    def _end(self, reason: str) -> None:
        """The connection is over: what is not acknowledged is lost. Only the first call counts."""
        with self._lock:
            if self.ended.is_set():
                return
            self.ended.set()
            self.end_reason = reason
            waiting, self._pending = list(self._pending.values()), {}
        for on_receipt in waiting:
            on_receipt(Receipt(Outcome.LOST, reason))
        self._on_end()

    def _acknowledged(
        self, _client: paho.Client, _data: Any, mid: int, code: ReasonCode, _props: Any
    ) -> None:
        receipt = Receipt(_outcome(code.value), str(code))
        with self._lock:
            on_receipt = self._pending.pop(mid, None)
            if on_receipt is None:
                self._early[mid] = receipt
        if on_receipt is not None:
            on_receipt(receipt)

    def _subscribed(
        self, _client: paho.Client, _data: Any, mid: int, codes: list[ReasonCode], _props: Any
    ) -> None:
        topic = self._subscriptions.pop(mid, "a topic")
        for code in codes:
            if code.is_failure:
                log.error("MQTT: the broker refuses the subscription to %s: %s", topic, code)

    def _received(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            self._on_message(message.topic, bytes(message.payload))
        except Exception:  # a thread's boundary: paho's thread must outlive a faulty handler
            log.exception("MQTT: the handler of %s failed", message.topic)


def _outcome(reason_code: int) -> Outcome:
    if reason_code >= _FIRST_FAILURE:
        return Outcome.REFUSED
    return Outcome.UNHEARD if reason_code == _PUBACK_NO_SUBSCRIBERS else Outcome.ACCEPTED


def open_connection(
    settings: MqttSettings,
    *,
    will: Message | None,
    on_message: MessageHandler,
    on_end: Callable[[], None],
    session_s: int = 0,
) -> Connection:
    """Connect with MQTT 5, or with 3.1.1 to a broker that does not know 5."""
    for protocol in PROTOCOL_NAMES:
        connection = Connection(
            settings,
            protocol,
            will=will,
            on_message=on_message,
            on_end=on_end,
            session_s=session_s,
        )
        try:
            connection.open()
        except BrokerRefusedError as error:
            # Old brokers answer an unknown version with a refusal, or hang up without a word.
            if protocol == MQTTProtocolVersion.MQTTv5 and error.reason in (
                _UNSUPPORTED,
                _NO_CONNACK,
            ):
                continue
            raise
        return connection
    raise AssertionError("the last protocol either connects or raises")
