"""Has this host's student trained by a process of its own, which yields to the live one.

It is started when a training is due and there is something to learn from, and stays up where the
host takes part in a federation. It ends with the live process, however that ends: its standard
input is a pipe from here.
"""

from __future__ import annotations

import logging
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.compose import outcome_path
from edge.config import EdgeConfig
from edge.training.material import FEWEST_CLIPS
from edge.training.outcome import load_outcome

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 3600.0  # after a failure, doubled by each that follows
LONG_RUN_S = 600.0  # a process that lived so long did not fail at its start
LEAVE_S = 5.0  # how long a stop waits for it to leave by itself
HOUR_S = 3600.0
POLITE = (("nice", "-n", "19"), ("ionice", "-c", "3"))  # ahead of a command, where they exist
ONE_THREAD = ("OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1")
REFUSED = 4  # exit code of ``learn``: trained, but the present student stays


def make_apprentice(config: EdgeConfig, path: Path) -> Apprentice | None:
    """For the configuration that was read from ``path``; None: nothing is trained."""
    student = config.learning.student
    if not student.enabled:
        return None
    stays = config.federation is not None
    return Apprentice(
        polite_command("learn", "-c", str(path.resolve()), "--until-eof"),
        outcome_path(config),
        every_s=0.0 if stays else student.every_h * HOUR_S,
        needs_footage=not stays,
    )


def polite_command(*arguments: str) -> list[str]:
    """A ``vad-edge`` command that takes what others leave of processor and disk."""
    ahead = [word for words in POLITE if shutil.which(words[0]) for word in words]
    return ["env", *ONE_THREAD, *ahead, sys.executable, "-m", "edge.cli", *arguments]


class Apprentice:
    """The learning process of a host; used by one thread, which looks after it now and then."""

    def __init__(
        self,
        command: Sequence[str],
        outcome: Path,
        *,
        every_s: float,
        needs_footage: bool,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """``every_s`` counts from the end of the last training, by whomever it was started."""
        self.problem = ""  # why nothing is learnt, "" while all is well
        self._command = command
        self._outcome = outcome
        self._every_s = every_s
        self._needs_footage = needs_footage
        self._now_s = now_s
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._failed_s = -math.inf
        self._wait_s = 0.0  # after that

    @property
    def said(self) -> str:
        """What became of the latest training, in words."""
        last = load_outcome(self._outcome)
        state = "learning now" if self._process is not None else "waiting"
        return state if last is None else f"{state}; last time {last.result}: {last.text}"

    def look(self, clips: Sequence[int]) -> None:
        """Start, or note the end; ``clips`` are how many each camera has stored. Never waits."""
        if self._process is not None:
            code = self._process.poll()
            if code is not None:
                self._note_end(code)
        elif self._is_due(clips):
            self._start()

    def stop(self) -> None:
        """Take it along; it goes on where its last checkpoint stands."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _is_due(self, clips: Sequence[int]) -> bool:
        now_s = self._now_s()
        if 0 <= now_s - self._failed_s < self._wait_s:  # before it: the clock was set back
            return False
        if self._needs_footage and max(clips, default=0) < FEWEST_CLIPS:
            return False
        last = load_outcome(self._outcome)
        failed = last is not None and last.result == "failed"
        # an end in the future: the clock was set back
        return last is None or failed or not 0 <= now_s - last.time_s < self._every_s

    def _start(self) -> None:
        self._began_s = self._now_s()
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
        except OSError as error:
            self._pause(f"the learning process cannot be started: {error.strerror}")

    def _note_end(self, code: int) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process = None
        if code in (0, REFUSED):
            self._pause_s = FIRST_PAUSE_S
            self.problem = ""
            return
        if self._now_s() - self._began_s >= LONG_RUN_S:
            self._pause_s = FIRST_PAUSE_S
        last = load_outcome(self._outcome)
        ended = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        if last is not None and last.result == "failed" and last.time_s >= self._began_s:
            ended = last.text
        self._pause(f"the learning process failed: {ended}")

    def _pause(self, problem: str) -> None:
        self.problem = problem
        log.warning("%s; it is started again in %.0f s", problem, self._pause_s)
        self._failed_s, self._wait_s = self._now_s(), self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
