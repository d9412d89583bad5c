"""The tiny word model from its first street to its folder: film, pair, fuse, write."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import normalize

from edge.domain.boxes import Floats
from edge.model import tokens
from edge.model.backbone import WEIGHTS, Backbone, GoldenClips, save_backbone
from edge.model.text import TextEmbeddings
from edge.model.words import GoldenWords, WordModel, WordSpec, save_words
from export.backbones.graph import to_onnx
from export.backbones.original import digest
from export.words.contrast import BATCH, LEARNING_RATE, Lesson, action_features, make_loss
from export.words.course import Plan, train
from export.words.fusion import Fusion, make_fusion
from export.words.graph import fusion_graph, text_graph
from export.words.tiny.acts import ACTS
from export.words.tiny.captions import caption, title
from export.words.tiny.film import Tubes
from export.words.tiny.pairing import Pairing, augmented, prepared, tokens_of
from export.words.tiny.sentences import make_tokenizer
from export.words.tiny.towers import LONGEST, SPEC, WIDTH, Towers, make_towers

VIEWS = 3  # of every tube: as it is, and changed
WAYS = 64  # captions of an act that the temporal part learns from
AT_ONCE = 64  # tubes
GOLDEN_CROPS, GOLDEN_TUBES = 8, 8
LICENCES = ("trained on generated streets: Apache-2.0",)

Told = Callable[[int, float], object]


@dataclass(frozen=True, slots=True)
class Plans:
    """How long the two parts learn, and from which seed."""

    towers: Plan
    fusion: Plan

    @classmethod
    def of(cls, *, steps: int, fusion_steps: int, batch: int, seed: int) -> Plans:
        """The learning rate of the temporal part is the paper's."""
        return cls(
            Plan(steps, batch, learning_rate=2e-3, weight_decay=0.02, seed=seed),
            Plan(fusion_steps, BATCH, learning_rate=LEARNING_RATE, seed=seed),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """All parts in torch."""

    towers: Towers
    fusion: Fusion
    tokenizer: Tokenizer


def learn(tubes: Tubes, plans: Plans, work: Path, *, told: tuple[Told, Told]) -> Learnt:
    """Train towers, then the temporal part; ``told`` hears the steps of each.

    Goes on from the checkpoints in ``work``. Raises TrainingError, StorageError.
    """
    tokenizer = make_tokenizer()
    towers = make_towers(tokenizer.get_vocab_size(), seed=plans.towers.seed)
    towers.image.to(memory_format=torch.channels_last)
    lesson = hashlib.sha256(tubes.crops.data).hexdigest()
    pairing = Pairing(towers, tubes, tokenizer, plans.towers.batch)
    train(
        towers,
        pairing.loss,
        plans.towers,
        task=f"towers {lesson}",
        checkpoint=work / "towers.safetensors",
        told=told[0],
    )
    learnt = Learnt(towers, make_fusion(WIDTH, seed=plans.fusion.seed), tokenizer)
    train(
        learnt.fusion,
        make_loss(learnt.fusion, _lesson(learnt, tubes, plans.fusion.seed)),
        plans.fusion,
        task=f"fusion {lesson} {plans.towers}",
        checkpoint=work / "fusion.safetensors",
        told=told[1],
    )
    return learnt


def write(
    folder: Path, learnt: Learnt, shown: Tubes, *, provenance: dict[str, str | int | float]
) -> WordModel:
    """The folder of a word model; ``shown`` gives the golden crops.

    Raises ModelError where a graph misses what torch says, StorageError.
    """
    spec = WordSpec(SPEC.name, WIDTH)
    chosen = np.linspace(0, len(shown) - 1, GOLDEN_TUBES).astype(int)
    tubes = _embedded(learnt.towers, shown.crops[chosen])
    texts = tuple(title(act) for act in ACTS)  # one for each: prompts are each other's rivals
    with torch.inference_mode():
        features = action_features(learnt.fusion, torch.from_numpy(tubes), alpha=spec.alpha).numpy()
    golden = GoldenWords(tubes, features, texts, read(learnt, texts))
    backbone = _backbone(folder.with_name(f".{folder.name}.backbone"), learnt, shown, provenance)
    tokenizer = learnt.tokenizer.to_str().encode()
    graph = text_graph(learnt.towers.text, LONGEST)
    try:
        return save_words(
            folder,
            spec,
            backbone=backbone,
            prompts=TextEmbeddings(
                texts, read(learnt, texts), SPEC.name, digest(learnt.towers.image)
            ),
            golden=golden,
            tfc=fusion_graph(learnt.fusion),
            text={tokens.GRAPH: graph, tokens.TOKENIZER: tokenizer},
            licences=LICENCES,
            provenance=provenance,
        )
    finally:
        shutil.rmtree(backbone.folder, ignore_errors=True)


def read(learnt: Learnt, texts: tuple[str, ...]) -> Floats:
    """Sentences (T, d) L2-normalised, as torch computes them."""
    with torch.inference_mode():
        found = learnt.towers.text(tokens_of(learnt.tokenizer, list(texts)))
        return np.asarray(normalize(found).numpy(), np.float32)


def _lesson(learnt: Learnt, tubes: Tubes, seed: int) -> Lesson:
    """Views of all tubes, and the ways to say what they show."""
    views = [_embedded(learnt.towers, tubes.crops)]
    views += [_embedded(learnt.towers, tubes.crops, (seed, view)) for view in range(1, VIEWS)]
    rng = np.random.default_rng(seed)
    ways = [tuple(caption(act, rng) for _ in range(WAYS)) for act in ACTS]
    return Lesson(np.stack(views, axis=1), tubes.acts, [read(learnt, each) for each in ways])


def _embedded(
    towers: Towers, crops: npt.NDArray[np.uint8], view: tuple[int, int] | None = None
) -> Floats:
    """Tubes (N, n, S, S, 3) → (N, n, d) L2-normalised; changed by chance where a view is named."""
    found = np.zeros((*crops.shape[:2], WIDTH), np.float32)
    with torch.inference_mode():
        for begin in range(0, len(crops), AT_ONCE):
            part = crops[begin : begin + AT_ONCE]
            pictures = prepared(part.reshape(-1, *part.shape[2:]))
            if view is not None:
                pictures = _changed(pictures, part.shape[1], (*view, begin))
            vectors = normalize(towers.image(pictures)).numpy()
            found[begin : begin + AT_ONCE] = vectors.reshape(len(part), -1, WIDTH)
    return found


def _changed(pictures: Tensor, frames: int, seed: tuple[int, ...]) -> Tensor:
    """All crops of a tube in the same way: they are laid side by side as colours of one picture."""
    size = pictures.shape[-2:]
    stacked = pictures.reshape(-1, frames * 3, *size)
    return augmented(stacked, np.random.default_rng(seed)).reshape(-1, 3, *size)


def _backbone(
    folder: Path, learnt: Learnt, shown: Tubes, provenance: dict[str, str | int | float]
) -> Backbone:
    chosen = np.linspace(0, len(shown) - 1, GOLDEN_CROPS).astype(int)
    clips = shown.crops[chosen, :1]
    with torch.inference_mode():
        embeddings = learnt.towers.image(prepared(clips[:, 0])).numpy()
    shutil.rmtree(folder, ignore_errors=True)
    return save_backbone(
        folder,
        SPEC,
        to_onnx(learnt.towers.image, SPEC),
        GoldenClips(clips, embeddings),
        licences=LICENCES,
        provenance={**provenance, WEIGHTS: digest(learnt.towers.image)},
    )
