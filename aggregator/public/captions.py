"""What a video shows in words: captions of single frames, joined (FedVAD, section 3.3)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from aggregator.public import prompts
from aggregator.public.answers import MOST_CHARS, clean, description
from aggregator.public.asking import Asker
from aggregator.public.written import read_entries
from edge.errors import ConfigError, DatasetError

Picture: TypeAlias = npt.NDArray[np.uint8]  # (H, W, 3) BGR

BESIDE = ".txt"  # NAME.txt beside a video


class Captioner(Protocol):
    """An image-text model."""

    @property
    def identity(self) -> str:
        """Another one for whatever says something else."""
        ...

    def caption(self, pictures: Sequence[Picture], prompt: str) -> list[str]:
        """A sentence for each picture, (H, W, 3) BGR."""
        ...


class ChatCaptioner:
    """A chat endpoint that is shown pictures."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    @property
    def identity(self) -> str:
        """See `Captioner.identity`."""
        return self._asker.identity

    def caption(self, pictures: Sequence[Picture], prompt: str) -> list[str]:
        """See `Captioner.caption`; raises as `Asker.ask`."""
        return [self._asker.ask(_shown(picture, prompt), description) for picture in pictures]


def narrative(captions: Sequence[str]) -> str:
    """The captions of a video's frames as one text; what goes on unchanged is said once."""
    sentences = (clean(caption).rstrip(".") for caption in captions)
    told = ". ".join(sentence for sentence, _ in groupby(sentences) if sentence)
    return f"{told}."[:MOST_CHARS] if told else ""


def read_captions(path: Path) -> dict[str, str]:
    """``{"NAME": "caption"}`` of a JSON file; raises ConfigError."""
    captions = read_entries(path, '{"NAME": "caption"}')
    for name, caption in captions.items():
        if not isinstance(caption, str):
            raise ConfigError(f"{path}: {name}: {caption!r:.80} is no caption; write it in quotes")
    return captions


def written_caption(video: Path, captions: Mapping[str, str]) -> str:
    """What somebody has written of a video, in a list or in ``NAME.txt`` beside it; "": nothing.

    Raises DatasetError where the file beside it cannot be read.
    """
    if video.stem in captions:
        return clean(captions[video.stem])
    beside = video.with_suffix(BESIDE)
    try:
        return clean(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise DatasetError(f"{beside}: cannot be read as text ({error})") from error


def _shown(picture: Picture, prompt: str) -> list[Mapping[str, object]]:
    _, jpeg = cv2.imencode(".jpg", picture)
    address = f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
    return [
        {"role": "system", "content": prompts.FRAME_CHAT},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": prompt},
                {"type": "image_url", "image_url": {"url": address}},
            ],
        },
    ]
