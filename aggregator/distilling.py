"""The distilling process as the serving one sees it: started, looked at now and then, given up.

It alone needs torch. Whatever becomes of it costs no more than the distillation: the round goes on
with the models that it averaged, and the log says why.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from aggregator.distil_folder import LOG, Task, has_result, read_result, write_task
from edge.domain.weights import Weights
from edge.errors import MalformedMessageError, StorageError

log = logging.getLogger(__name__)

WORK = "--work"  # option of the command that names the round's folder
_SHOWN_BYTES = 2000  # of what it said last


class Distiller:
    """One process at a time, one folder for each round; used by one thread."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """``command`` is given the work's folder, which is below ``folder``, as ``--work``."""
        self._command = command
        self._folder = folder
        self._task: Task | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._problem = ""  # why nothing will come of it

    def begin(self, task: Task) -> None:
        """Have a round's models improved; a result that is there already is not made again."""
        self.stop()
        self._task, self._problem = task, ""
        try:
            self._clear()
            write_task(self._work, task)
            if not has_result(self._work):
                self._start()
        except StorageError as error:
            self._problem = str(error)

    def result(self, *, late: bool) -> Mapping[int, Weights] | None:
        """Improved models by label; None: not yet; nothing of them: there will not be any."""
        assert self._task is not None
        if not (self._problem or late) and self._process and self._process.poll() is None:
            return None
        improved = self._take(self._task)
        if improved is None:
            why = self._problem or "it ended without a result"
            log.warning(
                "round %d: the models are not distilled into, the averaged ones are used: %s",
                self._task.round,
                why,
            )
        else:
            log.info("round %d: %d models were distilled into", self._task.round, len(improved))
        self.stop()
        return improved or {}

    def stop(self) -> None:
        """End the process, if there is one; another begins again."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.kill()
            process.wait()

    @property
    def _work(self) -> Path:
        assert self._task is not None
        return self._folder / str(self._task.round)

    def _take(self, task: Task) -> dict[int, Weights] | None:
        """What has come of it; None, and ``_problem`` says why: nothing."""
        code = self._process.poll() if self._process else 0
        if code is None:
            self._problem = "it took too long: see distillation.timeout_s"
        elif code != 0:
            self._problem = f"it ended with code {code}: {self._said()}"
        if self._problem:
            return None
        try:
            return read_result(self._work, task)
        except (MalformedMessageError, StorageError) as error:
            self._problem = str(error)
            return None

    def _start(self) -> None:
        command = [*self._command, WORK, str(self._work)]
        try:
            with (self._work / LOG).open("wb") as said:
                # the pipe ends when we do, however that is: then it ends, too
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
                )
        except OSError as error:
            self._problem = f"it cannot be started: {error.strerror or error}"

    def _said(self) -> str:
        """The last line that it wrote."""
        try:
            text = (self._work / LOG).read_bytes()[-_SHOWN_BYTES:].decode(errors="replace")
        except OSError:
            return "what it said cannot be read"
        return next(reversed(text.strip().splitlines()), "it said nothing")

    def _clear(self) -> None:
        """Delete what is left of other rounds."""
        for other in self._folder.glob("*/"):
            if other.name.isdecimal() and other != self._work:
                shutil.rmtree(other, ignore_errors=True)
