"""The generation in force: noticed, loaded beside the analysis, tried, and taken back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeAlias

from edge.adoption import TRIAL_S, Probation
from edge.errors import VadError
from edge.generation import Generations, Pointer
from edge.generation_folder import Generation
from edge.scoring.model import CameraModel
from edge.watch import Watch

log = logging.getLogger(__name__)

Found: TypeAlias = tuple[Pointer, Generation | None]


@dataclass(frozen=True, slots=True)
class _Trial:
    """A generation that has to prove itself, and what had happened when it began."""

    version: str
    probation: Probation
    until_s: float  # seconds since the epoch, as all times here
    since_s: float
    opened: Mapping[str, int]  # events by camera


class Renewal:
    """Has the cameras follow whatever ``current.json`` points to. For one thread, that looks.

    Cameras go on by what they have while a generation is loaded, and when it cannot be.
    """

    def __init__(
        self,
        generations: Generations,
        watches: Mapping[str, Watch],
        *,
        opened: Callable[[str], int],  # how many events of a camera were opened so far
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.problem = ""  # what an operator should know, "" when all is well
        self._generations = generations
        self._watches = watches
        self._opened = opened
        self._now_s = now_s
        self._stamp: tuple[int, int] | None = None  # of the pointer that was followed last
        self._work: Future[Found] | None = None
        self._trial: _Trial | None = None

    def look(self) -> None:
        """Take in what has changed; never waits. Call every second or so."""
        if self._work is not None:
            if self._work.done():
                done, self._work = self._work, None
                self._finish(done)
        elif (stamp := self._generations.stamp()) != self._stamp:
            self._stamp = stamp
            self._work = _beside(self._load)
        elif self._trial is not None:
            self._examine(self._trial)

    def _load(self) -> Found:
        pointer = self._generations.current()
        if pointer.version is None:
            return pointer, None
        return pointer, self._generations.load(pointer.version)

    def _finish(self, done: Future[Found]) -> None:
        error = done.exception()
        if error is not None:
            self.problem = f"the cameras go on with the models that they have: {error}"
            fault = None if isinstance(error, VadError) else error  # a traceback for our own faults
            log.error("%s", self.problem, exc_info=fault)
            return
        pointer, generation = done.result()
        log.info("students: %s (%s)", pointer.version or "none", pointer.reason)
        self.problem = pointer.reason if pointer.by_itself else ""
        self._follow({} if generation is None else generation.models)
        self._trial = None if generation is None else self._begin(pointer, generation)

    def _follow(self, models: Mapping[str, CameraModel]) -> None:
        for camera, watch in self._watches.items():
            watch.follow(models.get(camera))

    def _begin(self, pointer: Pointer, generation: Generation) -> _Trial:
        entry = generation.entry
        return _Trial(
            version=entry.version,
            probation=Probation.of(entry.verdict),
            until_s=pointer.since_s + TRIAL_S,
            since_s=self._now_s(),
            opened={camera: self._opened(camera) for camera in self._watches},
        )

    def _examine(self, trial: _Trial) -> None:
        now_s = self._now_s()
        if now_s > trial.until_s:
            self._trial = None
            return
        alarms = {camera: self._opened(camera) - old for camera, old in trial.opened.items()}
        objection = trial.probation.objection(alarms, now_s - trial.since_s)
        if objection is None:
            return
        reason = f"generation {trial.version} was taken back by itself: {objection}"
        log.error("%s", reason)
        self.problem, self._trial = reason, None
        self._follow({})  # at once; what judged before it follows when it is loaded
        self._work = _beside(lambda: self._take_back(reason))

    def _take_back(self, reason: str) -> Found:
        self._generations.roll_back(reason=reason, by_itself=True, now_s=self._now_s())
        self._stamp = self._generations.stamp()
        return self._load()


def _beside(work: Callable[[], Found]) -> Future[Found]:
    """Do it on a thread that holds nothing up, the end of the process neither."""
    future: Future[Found] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # the thread's boundary: told by whoever takes the result
            future.set_exception(error)

    threading.Thread(target=run, name="renewal", daemon=True).start()
    return future
