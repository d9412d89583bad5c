"""What the rest of the system knows of an MQTT broker: a port, without a word of any client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Message:
    """What is published."""

    topic: str
    payload: bytes
    qos: int = 1  # 0: sent once and forgotten; 1: until the broker acknowledges
    retain: bool = False


class Outcome(Enum):
    """What became of a published message."""

    ACCEPTED = "accepted"  # acknowledged by the broker; with QoS 0: handed to the network
    UNHEARD = "unheard"  # acknowledged, but nobody subscribes (MQTT 5 tells)
    REFUSED = "refused"  # the broker will not have it: an ACL, a quota, its size
    LOST = "lost"  # no connection, or it broke before the acknowledgement


@dataclass(frozen=True, slots=True)
class Receipt:
    """The end of one publish; ``reason`` is the broker's own word."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class LinkState:
    """How the connection stands."""

    connected: bool  # the broker has accepted us; an open socket is not enough
    connections: int  # accepted since start: when it grows, session state is gone
    protocol: str  # "MQTT 5", "MQTT 3.1.1", "" before the first connection
    reason: str  # why it is not connected, "" when it is
    max_in_flight: int = 20  # unacknowledged messages that the broker takes; more are lost
    remembered: bool = False  # the broker still knew us: it did not die since the last connection


ReceiptHandler = Callable[[Receipt], None]
MessageHandler = Callable[[str, bytes], None]


class Broker(ABC):
    """A connection that looks after itself: it is kept up, or tried again, until ``stop``.

    Handlers are called on the connection's own thread: they return at once and do not publish.
    """

    @abstractmethod
    def start(self) -> None:
        """Begin to connect; returns at once, whether a broker is there or not."""

    @abstractmethod
    def stop(self) -> None:
        """Say farewell, disconnect, wait for the connection's threads."""

    @abstractmethod
    def publish(self, message: Message, on_receipt: ReceiptHandler) -> None:
        """Send; ``on_receipt`` is called exactly once, never later than the connection's end."""

    @abstractmethod
    def subscribe(self, topic: str, on_message: MessageHandler) -> None:
        """Listen to one topic, now and after every reconnect; a level may be ``+``: any.

        No message may match two subscriptions of one connection.
        """

    @abstractmethod
    def unsubscribe(self, topic: str) -> None:
        """Listen no more to what ``subscribe`` was given; nothing where it was not.

        What is on its way already is not heard.
        """

    @property
    @abstractmethod
    def state(self) -> LinkState:
        """How the connection stands now."""


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription to ``topic_filter``, where a level may be ``+``, hears ``topic``."""
    if "+" not in topic_filter:
        return topic == topic_filter
    asked, given = topic_filter.split("/"), topic.split("/")
    return len(asked) == len(given) and all(
        level in ("+", found) for level, found in zip(asked, given, strict=True)
    )
