"""Events as JSON lines, where no broker is configured."""

from __future__ import annotations

from typing import TextIO

from edge.wire.broker import (
    Broker,
    LinkState,
    Message,
    MessageHandler,
    Outcome,
    Receipt,
    ReceiptHandler,
)

_PRINTED = Receipt(Outcome.ACCEPTED, "printed")


class Console(Broker):
    """Prints the payload of one topic and acknowledges everything; nobody ever sends commands."""

    def __init__(self, stream: TextIO, *, topic: str) -> None:
        self._stream = stream
        self._topic = topic

    @property
    def state(self) -> LinkState:
        """Always there."""
        return LinkState(connected=True, connections=1, protocol="console", reason="")

    def start(self) -> None:
        """Nothing to connect."""

    def stop(self) -> None:
        """Nothing to disconnect."""

    def publish(self, message: Message, on_receipt: ReceiptHandler) -> None:
        """One line per event; other topics are states, which a log of events has no use for."""
        if message.topic == self._topic:
            self._stream.write(message.payload.decode() + "\n")
            self._stream.flush()
        on_receipt(_PRINTED)

    def subscribe(self, topic: str, on_message: MessageHandler) -> None:
        """Nobody is there to send."""

    def unsubscribe(self, topic: str) -> None:
        """As above."""
