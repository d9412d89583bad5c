"""How a process is told to stop."""

from __future__ import annotations

import logging
import queue
import signal
import threading

log = logging.getLogger(__name__)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM or SIGINT sets; the same signal again ends the process at once.

    ``Event.set`` inside a handler deadlocks when it interrupts ``Event.wait`` at the wrong moment;
    a SimpleQueue may be put to from anywhere.
    """
    stop = threading.Event()
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def ask(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        asked.put(number)

    def obey() -> None:
        log.info("%s: stopping", signal.Signals(asked.get()).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    threading.Thread(target=obey, name="signals", daemon=True).start()
    return stop
