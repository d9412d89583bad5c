"""Where lessons are evaluated, one after the other, beside the analysis."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from edge.scoring.model import CameraModel

Lesson = Callable[[], CameraModel]


class School:
    """One daemon thread: a lesson of minutes never holds up the end of the process."""

    def __init__(self) -> None:
        self._lessons: queue.SimpleQueue[tuple[Lesson, Future[CameraModel]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="school", daemon=True).start()

    def submit(self, lesson: Lesson) -> Future[CameraModel]:
        """Queue a lesson; the future has its model, or what it raised."""
        future: Future[CameraModel] = Future()
        self._lessons.put((lesson, future))
        return future

    def _run(self) -> None:
        while True:
            lesson, future = self._lessons.get()
            try:
                future.set_result(lesson())
            except Exception as error:  # the thread's boundary: the next camera's lesson comes
                future.set_exception(error)
