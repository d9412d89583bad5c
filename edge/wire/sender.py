"""Messages on their way out: few unacknowledged at a time, short ones ahead of long ones.

Nothing here is durable, and a message that the connection loses is forgotten: whoever needs an
answer says it again (``edge.wire.rounds``).
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from edge.wire.broker import Broker, Message, Outcome, Receipt

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 32  # of 100 KB chunks: 3 MB; a broker's default queue holds 1000 messages

Make = Callable[[], Message | None]
"""Makes the message when its turn has come; None where it is no longer wanted."""


class Sender:
    """Two queues before one broker; used by one thread, receipts come from another."""

    def __init__(self, broker: Broker, *, wake: Callable[[], None]) -> None:
        """``wake`` is called, from the broker's thread, when there is room for more."""
        self.lost = 0  # messages that the connection lost
        self._broker = broker
        self._wake = wake
        self._messages: OrderedDict[Hashable, Make] = OrderedDict()
        self._chunks: OrderedDict[Hashable, Make] = OrderedDict()
        self._lock = threading.Lock()
        self._in_flight = 0
        self._refused: set[str] = set()  # reasons that were logged

    def say(self, key: Hashable, make: Make) -> None:
        """Queue a message; one with the same ``key`` that still waits is replaced."""
        self._messages[key] = make

    def stream(self, key: Hashable, make: Make) -> None:
        """Queue a chunk behind all messages; one that waits already is not queued twice."""
        self._chunks.setdefault(key, make)

    def __len__(self) -> int:
        return len(self._messages) + len(self._chunks)

    def pump(self) -> None:
        """Publish as much as may be in flight; what cannot go now waits."""
        while len(self) and self._has_room():
            queue = self._messages or self._chunks
            _, make = queue.popitem(last=False)
            message = make()
            if message is not None:
                with self._lock:
                    self._in_flight += 1
                self._broker.publish(message, self._landed)

    def _has_room(self) -> bool:
        state = self._broker.state
        limit = min(MAX_IN_FLIGHT, max(state.max_in_flight - 1, 1))  # one for a last farewell
        with self._lock:
            return state.connected and self._in_flight < limit

    def _landed(self, receipt: Receipt) -> None:
        with self._lock:
            self._in_flight -= 1
            self.lost += receipt.outcome is Outcome.LOST
            news = receipt.outcome is Outcome.REFUSED and receipt.reason not in self._refused
            if news:
                self._refused.add(receipt.reason)
        if news:
            log.error("the broker refuses our messages (%s): mend its access list", receipt.reason)
        self._wake()
