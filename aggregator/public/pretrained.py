"""Networks of Hugging Face transformers: captions of pictures (BLIP-2 class), vectors of texts.

A model is a folder, or a name that the library fetches and caches. Nothing of a model's own code
is run, and no weights that are pickled. Networks are loaded when they are first needed: a run that
finds all its answers on the disk loads none. Imported late, by whoever names such a model: it
loads torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from aggregator.public.captions import Picture
from edge.domain.boxes import Floats
from edge.errors import ConfigError, ModelError
from edge.model.words import normalised

try:
    import torch
    import transformers
except ModuleNotFoundError as problem:
    raise ConfigError(
        f"transformers:MODEL needs {problem.name}, which is not installed: "
        "pip install 'vad-edge[captions]'"
    ) from problem

Loaded = TypeVar("Loaded")

AT_ONCE = 4  # pictures or texts in one run: bounds memory
MOST_NEW_TOKENS = 40  # of a caption
SAFE = {"trust_remote_code": False}
SAFE_WEIGHTS = SAFE | {"use_safetensors": True}


class PretrainedCaptioner:
    """An image-text model: BLIP-2, BLIP, GIT, or an image encoder with a text decoder."""

    def __init__(self, model: str) -> None:
        """``model``: a folder, or a name."""
        self.identity = _identity("captions", model)
        self._where = model

    def caption(self, pictures: Sequence[Picture], prompt: str) -> list[str]:
        """See `Captioner.caption`; a model that takes no prompt is given none."""
        found: list[str] = []
        for begin in range(0, len(pictures), AT_ONCE):
            found += self._run(pictures[begin : begin + AT_ONCE], prompt)
        return found

    def _run(self, pictures: Sequence[Picture], prompt: str) -> list[str]:
        rgb = [
            np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8) for picture in pictures
        ]
        inputs = self._inputs(rgb, prompt).to(self._network.device)
        with torch.inference_mode():
            tokens = self._network.generate(
                **inputs, max_new_tokens=MOST_NEW_TOKENS, do_sample=False, num_beams=1
            )
        texts = self._read(tokens)
        # decoders repeat what they were told
        told = self._read(inputs["input_ids"]) if "input_ids" in inputs else [""] * len(texts)
        return [text.removeprefix(each).strip() for text, each in zip(texts, told, strict=True)]

    def _read(self, tokens: torch.Tensor) -> list[str]:
        texts: list[str] = self._reader.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def _inputs(self, rgb: Sequence[Picture], prompt: str) -> Any:
        if self._processor is None:
            return self._eyes(images=rgb, return_tensors="pt")
        words = [prompt] * len(rgb)
        return self._processor(images=rgb, text=words, padding=True, return_tensors="pt")

    @cached_property
    def _network(self) -> Any:
        def load() -> Any:
            family = transformers.AutoModelForImageTextToText
            return family.from_pretrained(self._where, **SAFE_WEIGHTS).eval().to(_device())

        return _loaded(self._where, load)

    @cached_property
    def _processor(self) -> Any | None:
        """Of pictures and prompts; None: the model has one for pictures alone."""

        def load() -> Any:
            return transformers.AutoProcessor.from_pretrained(self._where, **SAFE)

        processor = _loaded(self._where, load)
        return processor if hasattr(processor, "tokenizer") else None

    @cached_property
    def _eyes(self) -> Any:
        def load() -> Any:
            return transformers.AutoImageProcessor.from_pretrained(self._where, **SAFE)

        return _loaded(self._where, load)

    @cached_property
    def _reader(self) -> Any:
        def load() -> Any:
            return transformers.AutoTokenizer.from_pretrained(self._where, **SAFE)

        return _loaded(self._where, load)


class PretrainedTexts:
    """A text encoder (BERT class): the mean of what it makes of a text's tokens."""

    def __init__(self, model: str) -> None:
        """``model``: a folder, or a name."""
        self.identity = _identity("texts", model)
        self._where = model

    @cached_property
    def width(self) -> int:
        """Of an embedding."""
        return int(self._network.config.hidden_size)

    def embed(self, texts: Sequence[str]) -> Floats:
        """See `Texts.embed`."""
        found = np.zeros((len(texts), self.width), np.float32)
        for begin in range(0, len(texts), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            found[part] = self._run(texts[part])
        return normalised(found)

    def _run(self, texts: Sequence[str]) -> Floats:
        tokens = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            hidden = self._network(**tokens.to(self._network.device)).last_hidden_state
        real = tokens["attention_mask"][..., None].to(hidden.device)
        mean = (hidden * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
        return np.asarray(mean.cpu().numpy(), np.float32)

    @cached_property
    def _network(self) -> Any:
        def load() -> Any:
            found = transformers.AutoModel.from_pretrained(self._where, **SAFE_WEIGHTS)
            return found.eval().to(_device())

        return _loaded(self._where, load)

    @cached_property
    def _tokenizer(self) -> Any:
        def load() -> Any:
            found = transformers.AutoTokenizer.from_pretrained(self._where, **SAFE)
            # some models do not say how long a text they take: the network's positions do
            longest = getattr(self._network.config, "max_position_embeddings", None)
            found.model_max_length = min(found.model_max_length, longest or found.model_max_length)
            return found

        return _loaded(self._where, load)


def _loaded(where: str, load: Callable[[], Loaded]) -> Loaded:
    """ModelError where the library cannot make a network of what is there."""
    try:
        return load()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"transformers:{where}: cannot be used ({reason}); name a folder that save_pretrained "
            "wrote (safetensors), or a model that can be fetched"
        ) from error


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _identity(use: str, where: str) -> str:
    """Of a folder, by its content; of a name, by itself."""
    folder = Path(where)
    if not folder.is_dir():
        return f"transformers {use} {where}"
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        with suppress(IsADirectoryError), path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder)} {content}\n".encode())
    return f"transformers {use} {digest.hexdigest()[:12]}"
