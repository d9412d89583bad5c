"""Where words become guidance: commands and files in, followed sentences and states out.

One thread runs it. Handlers of the broker only queue what they hear; files and text tower would
hold up the broker's thread, and the analysis never waits for either.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

from edge.domain.guidance import Corners, Hours
from edge.errors import ConfigError, MalformedMessageError, VadError
from edge.guiding.folder import GuidanceFolder, Kept, check, corners_of, overruled
from edge.guiding.readings import Readings
from edge.scoring.guidance import Guidance
from edge.wire.broker import Broker, Message
from edge.wire.guidance import (
    GuidanceState,
    Refusal,
    Standing,
    Status,
    decode_guidance,
    encode_state,
    line,
)
from edge.wire.inbox import Inbox
from edge.wire.topics import Topics
from edge.wire.words import Ask, WordTopics, decode_answer, encode

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # at the files, which ``vad-edge guide`` changes
NO_WORDS = "this host has no word model: give it one by words: in its configuration"
INBOX = 256  # commands and answers that wait
INBOX_BYTES = 8 * 2**20  # of them all

Stamp: TypeAlias = tuple[int, int] | None


class Guided(Protocol):
    """What follows the sentences of a camera: ``edge.scoring.guidance.Guide``."""

    def follow(self, guidances: Sequence[Guidance]) -> None:
        """Go by these, oldest first, from the next frame on."""


@dataclass(frozen=True, slots=True)
class Place:
    """A camera that can be guided."""

    guide: Guided
    zones: Mapping[str, Corners]  # by name


def refuse_guidance(
    cameras: Iterable[str],
    *,
    broker: Broker,
    topics: Topics,
    retain: Callable[[str, bytes], None],
    now_s: Callable[[], float] = time.time,
) -> None:
    """Tell whoever says something in words that nobody here understands it."""

    def refuse(camera: str, _topic: str, _payload: bytes) -> None:
        refusal = Refusal(reason=NO_WORDS, time=now_s())
        state = GuidanceState(guidance=(), refused=refusal)
        retain(topics.guidance_state(camera), encode_state(state))

    for camera in cameras:
        broker.subscribe(topics.guidance_set(camera), partial(refuse, camera))


class GuidanceDesk:
    """The guidance of all cameras of a host."""

    def __init__(
        self,
        folder: GuidanceFolder,
        places: Mapping[str, Place],  # by camera
        readings: Callable[[Callable[[Ask], None]], Readings],  # given a way to ask
        *,
        broker: Broker,
        topics: Topics,
        retain: Callable[[str, bytes], None],  # publishes a state
        send: Callable[[Message], None],  # publishes once
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.problem = ""  # what an operator should mend, "" when all is well
        self._folder = folder
        self._places = places
        self._readings = readings(self._ask)
        self._broker = broker
        self._topics = topics
        self._words = WordTopics(topics.prefix)
        self._retain = retain
        self._send = send
        self._now_s = now_s
        self._inbox = Inbox[Callable[[], None]](INBOX, limit_bytes=INBOX_BYTES)
        self._stamps: dict[str, Stamp] = {}  # of the files that are followed
        self._kept: dict[str, tuple[Kept, ...]] = {}
        self._refused: dict[str, Refusal] = {}
        self.thread = threading.Thread(target=self._run, name="guidance")
        self._stop = threading.Event()

    def start(self) -> None:
        """Listen, and follow what was kept: when this returns, it counts. Call once."""
        self.listen()
        self._turn(0)
        self.thread.start()

    def listen(self) -> None:
        """Hear commands and answers from now on."""
        for camera in self._places:
            topic = self._topics.guidance_set(camera)
            self._broker.subscribe(topic, partial(self._hear_command, camera))
        self._broker.subscribe(self._words.answer(self._topics.host), self._hear_answer)

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._inbox.wake()
        if self.thread.is_alive():
            self.thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._turn(LOOK_EVERY_S)

    def _turn(self, patience_s: float) -> None:
        try:
            self.look(patience_s=patience_s)
            self.problem = ""
        except Exception as error:  # the thread's boundary: cameras go on by what they have
            self.problem = f"guidance is not followed: {error}"
            fault = None if isinstance(error, VadError) else error  # a traceback for our own faults
            log.error("%s", self.problem, exc_info=fault)
            self._stop.wait(patience_s)

    def look(self, *, patience_s: float) -> None:
        """Handle what the files say, and what was heard, or comes within ``patience_s``."""
        heard = self._inbox.take(patience_s)
        for camera in self._places:
            if camera not in self._stamps or self._folder.stamp(camera) != self._stamps[camera]:
                self._reload(camera)
        for handle in heard:
            handle()
        self._readings.ask()

    # Handlers of the broker, on its thread.

    def _hear_command(self, camera: str, _topic: str, payload: bytes) -> None:
        self._inbox.put(lambda: self._command(camera, payload), len(payload))

    def _hear_answer(self, _topic: str, payload: bytes) -> None:
        self._inbox.put(lambda: self._answer(payload), len(payload))

    # Untrusted bytes, on our own thread.

    def _command(self, camera: str, payload: bytes) -> None:
        try:
            command = decode_guidance(payload)
            check(command, self._places[camera].zones)
            self._folder.change(camera, command, now_s=self._now_s())
        except VadError as error:
            self._refuse(camera, error)
            self._follow(camera)
        else:
            self._reload(camera)

    def _answer(self, payload: bytes) -> None:
        try:
            answer = decode_answer(payload)
        except MalformedMessageError as error:
            log.warning("an embedding is not taken: %s", error)
            return
        if self._readings.hear(answer):
            for camera in self._places:
                self._follow(camera)

    def _ask(self, ask: Ask) -> None:
        self._send(Message(self._words.ask(self._topics.host), encode(ask)))

    # What is followed.

    def _reload(self, camera: str) -> None:
        self._stamps[camera] = self._folder.stamp(camera)
        self._refused.pop(camera, None)
        try:
            self._kept[camera] = self._folder.read(camera)
        except ConfigError as error:  # it goes on by what it has
            self._kept.setdefault(camera, ())
            self._refuse(camera, error)
        self._follow(camera)
        self._readings.retain(
            each.instruction.text for kept in self._kept.values() for each in kept
        )

    def _refuse(self, camera: str, error: VadError) -> None:
        reason = line(str(error))
        log.warning("camera %s: guidance refused: %s", camera, reason)
        self._refused[camera] = Refusal(reason=reason, time=self._now_s())

    def _follow(self, camera: str) -> None:
        place, kept = self._places[camera], self._kept[camera]
        guidances, standings = [], []
        for number, each in enumerate(kept):
            found = self._resolve(each, place.zones)
            if isinstance(found, Guidance):
                guidances.append(found)
                reason = overruled(each, kept[number + 1 :])
                standings.append(_standing(each, Status.ACTIVE, reason))
            else:
                standings.append(_standing(each, *found))
        place.guide.follow(guidances)
        state = GuidanceState(guidance=tuple(standings), refused=self._refused.get(camera))
        self._retain(self._topics.guidance_state(camera), encode_state(state))
        log.info("camera %s: guided by %d of %d sentences", camera, len(guidances), len(kept))

    def _resolve(self, kept: Kept, zones: Mapping[str, Corners]) -> Guidance | tuple[Status, str]:
        """Ready to be followed, or why it is not."""
        said = kept.instruction
        try:
            corners = corners_of(said.zones, zones)  # a zone may be gone since it was said
        except ConfigError as error:
            return Status.REFUSED, str(error)
        vector = self._readings.find(said.text)
        if vector is None:
            reason = self._readings.refusal(said.text)
            return (Status.REFUSED if reason else Status.WAITING), reason
        return Guidance(
            kept.id,
            said.text,
            said.polarity,
            vector,
            threshold=said.threshold,
            zones=corners,
            hours=tuple(map(Hours.parse, said.hours)),
        )


def _standing(kept: Kept, status: Status, reason: str) -> Standing:
    said = kept.instruction
    return Standing(
        id=kept.id,
        text=said.text,
        polarity=said.polarity,
        threshold=said.threshold,
        zones=said.zones,
        hours=said.hours,
        since=kept.since,
        status=status,
        reason=line(reason),
    )
