"""The temporal part from action clips to a file: texts, training, figures on clips held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.errors import ConfigError, DatasetError
from edge.model.words import WordModel, normalised
from export.words.clip import TEMPLATES
from export.words.clips import ActionClip
from export.words.contrast import Lesson

HELD_OUT_EVERY = 6  # clip of an action that has so many; none is chosen by
GOLDEN_TUBES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Tubes and the actions that they show."""

    tubes: Floats  # (N, n, d) L2-normalised
    actions: npt.NDArray[np.int64]  # (N,) of C

    @classmethod
    def of(cls, clips: Mapping[ActionClip, Floats], names: Sequence[str]) -> Material | None:
        """All tubes of some clips; None where there are none."""
        if not clips:
            return None
        actions = [np.full(len(tubes), names.index(clip.action)) for clip, tubes in clips.items()]
        return cls(np.concatenate(list(clips.values())), np.concatenate(actions))


def divide(clips: Mapping[ActionClip, Floats]) -> tuple[Material, Material | None, list[str]]:
    """What is learnt from, what judges, and the actions.

    Raises DatasetError where no two actions are left.
    """
    names = sorted({clip.action for clip in clips})
    if len(names) < 2:
        raise DatasetError("clips of two actions at least must show somebody who can be followed")
    held: dict[ActionClip, Floats] = {}
    for name in names:
        own = [clip for clip in clips if clip.action == name]
        held |= {clip: clips[clip] for clip in own[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]}
    learnt = {clip: tubes for clip, tubes in clips.items() if clip not in held}
    training = Material.of(learnt, names)
    assert training is not None
    return training, Material.of(held, names), names


def ways_to_say(model: WordModel, names: Sequence[str]) -> list[Floats]:
    """C times (k, d): an action in every template; without a text tower, its prompt.

    Raises ConfigError where an action is no prompt and the model cannot read.
    """
    found = []
    for name in names:
        read = model.read([template.format(name) for template in TEMPLATES])
        if read is None and name in model.prompts.prompts:
            read = model.prompts.embeddings[[model.prompts.prompts.index(name)]]
        if read is None:
            raise ConfigError(
                f"--words: has no text tower and no prompt {name!r}: export it with --text-tower, "
                "or name the folder of clips as one of its actions"
            )
        found.append(read)
    return found


def lesson(material: Material, texts: Sequence[Floats]) -> Lesson:
    """What ``export.words.contrast`` learns from."""
    return Lesson(material.tubes[:, None], material.actions, texts)


def accuracy(features: Floats, actions: npt.NDArray[np.int64], texts: Sequence[Floats]) -> float:
    """Mean over the actions of the part whose text is the nearest; (N, d) features."""
    nearest = (features @ normalised(np.stack([ways.mean(axis=0) for ways in texts])).T).argmax(1)
    shares = [float((nearest[actions == k] == k).mean()) for k in np.unique(actions)]
    return sum(shares) / len(shares)


def mean_features(tubes: Floats, alpha: float) -> Floats:
    """Eq. 2 with the mean in place of the temporal part: what training must beat."""
    middle = tubes[:, tubes.shape[1] // 2]
    return normalised(alpha * normalised(tubes.mean(axis=1)) + (1 - alpha) * middle)


def golden_tubes(material: Material) -> Floats:
    """A few, evenly spread."""
    places = np.linspace(0, len(material.tubes) - 1, GOLDEN_TUBES).astype(int)
    return np.ascontiguousarray(material.tubes[places])


def checkpoint_of(out: Path) -> Path:
    """Where training stands until the file is there."""
    return out.with_name(f".{out.name}.training")
