"""Videos into the public set: watched, described, calibrated, read; each part once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aggregator.public import prompts
from aggregator.public.asking import Budget, BudgetSpentError, NonsenseError
from aggregator.public.calibration import Calibrator
from aggregator.public.captions import Captioner, narrative, written_caption
from aggregator.public.endpoint import NoAnswerError
from aggregator.public.folder import Entry, Part, PublicFolder, key_of
from aggregator.public.labels import Label
from aggregator.public.listing import digest
from aggregator.public.text import Texts
from aggregator.public.watching import Onlooker, Watcher, regular_pictures
from edge.domain.boxes import Floats
from edge.errors import DatasetError, SourceError

SILENT_VIDEOS = 3  # one after the other without an answer: the endpoint is asked no more


@dataclass(frozen=True, slots=True)
class Describing:
    """Where captions come from; without a captioner and anything written there are none."""

    written: Mapping[str, str] = field(default_factory=dict)  # by name; always comes first
    captioner: Captioner | None = None
    every_s: float = 5.0  # between the frames that are described
    most: int = 12  # frames of a video
    max_width_px: int = 640  # of such a frame

    @property
    def expects(self) -> bool:
        """Whether a video without a caption lacks something."""
        return bool(self.written) or self.captioner is not None


@dataclass(frozen=True, slots=True)
class Means:
    """All that videos are prepared with."""

    watcher: Watcher
    texts: Texts
    onlooker: Onlooker | None = None  # None: the student's own features stand for visual ones
    describing: Describing = field(default_factory=Describing)
    calibrator: Calibrator | None = None

    def facts(self) -> dict[str, Any]:
        """What must be the same for all videos of a set, as JSON."""
        return {
            "head": self.watcher.head,
            "seen": self.watcher.facts(),
            "visual": self.onlooker.facts() if self.onlooker else None,
            "texts": self.texts.identity,
        }


class Preparation:
    """Puts videos into a folder, one after the other."""

    def __init__(self, folder: PublicFolder, means: Means, budget: Budget) -> None:
        self._folder, self._means, self._budget = folder, means, budget
        self._silent = 0  # videos in a row without an answer

    def add(self, path: Path, *, camera: str, label: Label) -> Entry:
        """What becomes of a video, which is kept; nothing of it is done twice.

        Raises StorageError where the disk refuses, ModelError where a network cannot be used,
        ConfigError where an endpoint never answers.
        """
        entry = Entry(path.stem, str(path), "", camera, label, "unusable")
        silent = False
        try:
            entry = replace(entry, content=digest(path))
            entry = self._prepared(path, entry)
        except (SourceError, DatasetError) as error:
            entry = replace(entry, reason=str(error))
        except NonsenseError as error:
            entry = replace(entry, state="dropped", reason=str(error))
        except BudgetSpentError as error:
            entry = replace(entry, state="unfinished", reason=str(error))
        except NoAnswerError as error:
            entry = replace(entry, state="unfinished", reason=f"no answer: {error}")
            silent = True
        self._silent = self._silent + 1 if silent else 0
        if self._silent == SILENT_VIDEOS:
            self._budget.end(f"no answer for {SILENT_VIDEOS} videos in a row")
        self._folder.put(entry)
        return entry

    def _prepared(self, path: Path, entry: Entry) -> Entry:
        means = self._means
        keys = {"seen": self._seen(path, entry)}
        if means.onlooker is not None:
            keys["visual"] = self._visual(path, entry, means.onlooker)
        caption = self._narrative(path, entry)
        category, rounds = entry.label.category, 0
        if means.calibrator is not None and caption:
            found = means.calibrator.calibrate(caption, entry.label)
            caption, category, rounds = found.caption, found.category, found.rounds
            if found.contradicts:
                reason = found.reason(entry.label)
                return replace(
                    entry, state="dropped", reason=reason, caption=caption, category=category
                )
        keys["text"] = self._text(entry, caption)
        return replace(
            entry,
            state="ready",
            caption=caption,
            category=category,
            rounds=rounds,
            made_of=means.facts(),
            keys=keys,
        )

    def _seen(self, path: Path, entry: Entry) -> str:
        def make() -> Part:
            sight = self._means.watcher.watch(path)
            return Part(
                {"values": sight.values, "place": sight.place, "frame": sight.frame},
                {"objects": dict(sight.objects)},
            )

        key = key_of(self._means.watcher.facts(), entry.content)
        self._folder.part(entry.name, "seen", key, make)
        return key

    def _visual(self, path: Path, entry: Entry, onlooker: Onlooker) -> str:
        def make() -> Part:
            views = onlooker.look(path)
            return Part({"visual": views.visual, "frame": views.frame})

        key = key_of(onlooker.facts(), entry.content)
        self._folder.part(entry.name, "visual", key, make)
        return key

    def _narrative(self, path: Path, entry: Entry) -> str:
        """What the video shows in words; "": captions are not used."""
        describing = self._means.describing
        if written := written_caption(path, describing.written):
            return written
        captioner = describing.captioner
        if captioner is None:
            if describing.expects or self._means.calibrator is not None:
                raise DatasetError(f"{path}: nobody has written a caption of it; name a captioner")
            return ""

        def make() -> Part:
            pictures = regular_pictures(
                path,
                every_s=describing.every_s,
                most=describing.most,
                max_width_px=describing.max_width_px,
            )
            return Part({}, {"captions": captioner.caption(pictures, prompts.FRAME)})

        settings = [describing.every_s, describing.most, describing.max_width_px]
        key = key_of(captioner.identity, prompts.FRAME, settings, entry.content)
        told = narrative(self._folder.part(entry.name, "narrative", key, make).about["captions"])
        if not told:
            raise DatasetError(f"{path}: the captioner has nothing to say of it")
        return told

    def _text(self, entry: Entry, caption: str) -> str:
        texts = self._means.texts

        def make() -> Part:
            return Part({"text": _embedded(texts, caption)})

        key = key_of(texts.identity, caption)
        self._folder.part(entry.name, "text", key, make)
        return key


def _embedded(texts: Texts, caption: str) -> Floats:
    """(t,); without a caption all 0."""
    return texts.embed([caption])[0] if caption else np.zeros(texts.width, np.float32)
