"""A broker in memory that keeps the contract of the port; a test decides when it answers."""

from collections.abc import Callable
from dataclasses import replace

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

Judge = Callable[[Message], Receipt]
ACCEPTED = Receipt(Outcome.ACCEPTED, "Success")


class FakeBroker(Broker):
    """Answers at once by ``judge``; with ``held`` set it keeps the acknowledgements back."""

    def __init__(self, judge: Judge = lambda _: ACCEPTED) -> None:
        self.judge = judge
        self.held = False
        self.received: list[Message] = []  # what the broker took, in order
        self.waiting: list[tuple[Message, ReceiptHandler]] = []
        self._handlers: dict[str, MessageHandler] = {}
        self._state = LinkState(False, 0, "", "not started")

    @property
    def state(self) -> LinkState:
        return self._state

    def start(self) -> None:
        self.come()

    def stop(self) -> None:
        self.go("stopped")

    def come(self, *, remembering: bool = True) -> None:
        connections = self._state.connections + 1
        self._state = LinkState(True, connections, "MQTT 5", "", remembered=remembering)

    def go(self, reason: str = "broker killed") -> None:
        """Break the connection: what waits for its acknowledgement is lost."""
        self._state = replace(self._state, connected=False, reason=reason)
        waiting, self.waiting = self.waiting, []
        for _, on_receipt in waiting:
            on_receipt(Receipt(Outcome.LOST, reason))

    def publish(self, message: Message, on_receipt: ReceiptHandler) -> None:
        if not self._state.connected:
            on_receipt(Receipt(Outcome.LOST, "not connected"))
            return
        self.waiting.append((message, on_receipt))
        if not self.held:
            self.answer()

    def answer(self, count: int | None = None) -> None:
        """Acknowledge the oldest ``count`` waiting messages, or all."""
        now = self.waiting[:count]
        self.waiting = self.waiting[len(now) :]
        for message, on_receipt in now:
            receipt = self.judge(message)
            if receipt.outcome is not Outcome.REFUSED:
                self._take(message)
            on_receipt(receipt)

    def _take(self, message: Message) -> None:
        self.received.append(message)
        for topic_filter, handler in list(self._handlers.items()):
            if matches(topic_filter, message.topic):
                handler(message.topic, message.payload)

    def subscribe(self, topic: str, on_message: MessageHandler) -> None:
        self._handlers[topic] = on_message

    def unsubscribe(self, topic: str) -> None:
        self._handlers.pop(topic, None)

    def payloads(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.received if message.topic == topic]
