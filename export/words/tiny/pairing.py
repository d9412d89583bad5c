"""Crops and captions that belong together learn to lie together: InfoNCE over a batch.

Several pairs of a batch say the same, so a row may have several right answers; all of them count
alike. Captions of what no street shows are wrong answers for every crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, log_softmax, normalize

from export.words.contrast import SIGMA
from export.words.course import Plan
from export.words.tiny.acts import ACTS
from export.words.tiny.captions import caption, stranger
from export.words.tiny.film import Tubes
from export.words.tiny.sentences import BEGIN, UNKNOWN
from export.words.tiny.towers import PAD, SPEC, Towers

PLAN = Plan(steps=1200, batch=128, learning_rate=2e-3, weight_decay=0.02)
STRANGERS = 16  # captions of a batch that describe no crop
FORGOTTEN = 0.1  # of all words in training: sentences may hold words that nobody knows
UNREADABLE = 0.5  # of a stranger's: what is mostly unknown words describes nothing
ZOOM, SHIFT, COLOUR = 0.1, 0.1, 0.25  # how far crops are changed, at most


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Draws batches and says how far apart what belongs together is."""

    towers: Towers
    tubes: Tubes
    tokenizer: Tokenizer
    batch: int = PLAN.batch

    def loss(self, rng: np.random.Generator) -> Tensor:
        """Of one batch, all acts equally often."""
        rows = balanced(self.tubes.acts, self.batch, rng)
        frames = rng.integers(0, self.tubes.crops.shape[1], len(rows))
        crops = augmented(prepared(self.tubes.crops[rows, frames]), rng)
        told = [ACTS[act] for act in self.tubes.acts[rows]]
        texts = [caption(act, rng) for act in told] + [stranger(rng) for _ in range(STRANGERS)]
        lost = np.repeat([FORGOTTEN, UNREADABLE], [len(told), STRANGERS])
        tokens = forgetful(tokens_of(self.tokenizer, texts), lost, rng)
        cosines = normalize(self.towers.image(crops)) @ normalize(self.towers.text(tokens)).T
        acts = torch.from_numpy(self.tubes.acts[rows])
        return multi_nce(cosines, acts)


def multi_nce(cosines: Tensor, acts: Tensor) -> Tensor:
    """``cosines`` (B, B + strangers); the first B captions are of ``acts`` (B,), as the crops are.

    Cross entropy both ways, the right answers of a row sharing the probability.
    """
    count = len(acts)
    right = (acts[:, None] == acts[None]).to(cosines.dtype)
    right = right / right.sum(dim=1, keepdim=True)
    by_crop = log_softmax(cosines / SIGMA, dim=1)[:, :count]
    by_text = log_softmax(cosines[:, :count].T / SIGMA, dim=1)
    return -((right * by_crop).sum(dim=1).mean() + (right * by_text).sum(dim=1).mean()) / 2


def balanced(
    acts: npt.NDArray[np.int64], count: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Rows of every act that occurs, equally often, in no order."""
    by_act = [np.flatnonzero(acts == act) for act in np.unique(acts)]
    drawn = [by_act[place % len(by_act)] for place in range(count)]
    return np.array([rows[rng.integers(len(rows))] for rows in drawn], np.intp)


def prepared(crops: npt.NDArray[np.uint8]) -> Tensor:
    """Crops (N, S, S, 3) BGR as ``SPEC`` prepares them, (N, 3, S, S)."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (SPEC.mean, SPEC.std))
    rgb = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).permute(0, 3, 1, 2)
    return (rgb.float() / 255 - mean) / std


def augmented(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirrored, shifted, stretched, in another light: (N, 3, S, S), or (N, n * 3, S, S) alike."""
    count = len(crops)
    theta = np.zeros((count, 2, 3), np.float32)
    theta[:, 0, 0] = rng.choice([-1, 1], count) * rng.uniform(1 - ZOOM, 1 + ZOOM, count)
    theta[:, 1, 1] = rng.uniform(1 - ZOOM, 1 + ZOOM, count)
    theta[:, :, 2] = rng.uniform(-SHIFT, SHIFT, (count, 2))
    grid = affine_grid(torch.from_numpy(theta), list(crops.shape), align_corners=False)
    moved = grid_sample(crops, grid, padding_mode="border", align_corners=False)
    light = rng.uniform(1 - COLOUR, 1 + COLOUR, (count, 1)) * rng.uniform(
        1 - COLOUR / 2, 1 + COLOUR / 2, (count, 3)
    )
    gain = np.tile(light, (1, crops.shape[1] // 3))[:, :, None, None]
    return moved * torch.from_numpy(gain.astype(np.float32))


def tokens_of(tokenizer: Tokenizer, texts: list[str]) -> Tensor:
    """(N, L) int64."""
    return torch.tensor([tokenizer.encode(text).ids for text in texts])


def forgetful(tokens: Tensor, shares: npt.NDArray[np.float64], rng: np.random.Generator) -> Tensor:
    """Of each text (N, L) a share (N,) of its words is forgotten."""
    lost = torch.from_numpy(rng.random(tokens.shape) < shares[:, None])
    return tokens.masked_fill(lost & (tokens != PAD) & (tokens != BEGIN), UNKNOWN)
