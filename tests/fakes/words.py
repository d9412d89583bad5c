"""A word model without networks: it sees the mean colour of a crop, its prompts are colours."""

import numpy as np

from edge.domain.boxes import Floats
from edge.model.text import TextEmbeddings
from edge.model.words import GoldenWords, WordModel, WordSpec, save_words
from edge.scoring.words import Words
from tests.fakes.backbones import tiny_backbone

COLOURS = {
    "a red coat": (0, 0, 255),
    "a green coat": (0, 255, 0),
    "a blue coat": (255, 0, 0),
    "a yellow coat": (0, 255, 255),
}  # BGR


class Prompts:
    def __init__(self, colours):
        self.prompts = tuple(colours)
        self.embeddings = _unit(_seen(np.array(list(colours.values()), np.float32)))


class FakeWordModel:
    """Embeds a crop as the balance of its colours; acts by the mean of the ring."""

    reads = True

    def __init__(self, *, frames=9, version="colours", colours=COLOURS):
        self.version, self.frames, self.width = version, frames, 4
        self.prompts = Prompts(colours)
        self.batches: list[int] = []  # pictures of each call of embed
        self.acted: list[int] = []  # segments of each call of act

    def prepare(self, picture) -> Floats:
        return picture.mean(axis=(0, 1), dtype=np.float32)[:, None, None]  # (3, 1, 1)

    def embed(self, prepared: Floats) -> Floats:
        assert prepared.shape[1:] == (1, 3, 1, 1)
        self.batches.append(len(prepared))
        return _seen(prepared[:, 0, :, 0, 0])

    def act(self, embeddings: Floats) -> Floats:
        assert embeddings.shape[1:] == (self.frames, self.width)
        self.acted.append(len(embeddings))
        return _unit(embeddings.mean(axis=1))

    def read(self, texts):
        known = [self.prompts.prompts.index(text) for text in texts]
        return self.prompts.embeddings[known]


def fake_words(*, centres=2, **changes) -> Words:
    return Words(FakeWordModel(**changes), centres)


def _seen(bgr) -> Floats:
    """Colours (N, 3) as vectors (N, 4)."""
    return np.concatenate([bgr / 255, np.full((len(bgr), 1), 0.2)], axis=1).astype(np.float32)


def _unit(rows) -> Floats:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def save_tiny_words(folder, *, seed=0, prompts=4) -> WordModel:
    """A real one in a folder: a tiny backbone, no temporal part, no text tower."""
    backbone = tiny_backbone(folder.with_name(f"{folder.name}-backbone"), seed=seed)
    spec = WordSpec("tiny", backbone.width)
    rng = np.random.default_rng(seed)
    embeddings = _unit(rng.normal(size=(prompts, backbone.width)))
    texts = tuple(f"action {k}" for k in range(prompts))
    tubes = rng.normal(size=(2, spec.frames, spec.width)).astype(np.float32)
    seen = _unit(tubes)
    mean, middle = _unit(seen.mean(axis=1)), seen[:, spec.frames // 2]
    return save_words(
        folder,
        spec,
        backbone=backbone,
        prompts=TextEmbeddings(texts, embeddings, "tiny", "0" * 64),
        golden=GoldenWords(tubes, _unit(spec.alpha * mean + (1 - spec.alpha) * middle)),
        licences=["Apache-2.0 (tests)"],
        provenance={"seed": seed},
    )
