"""How well words tell what objects do, on streets that no training has seen; nothing is chosen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Floats
from edge.model.words import WordModel, normalised
from export.words.tiny.acts import ACTS
from export.words.tiny.captions import UNSEEN, title
from export.words.tiny.film import Tubes

TIMED = 64  # crops, one by one


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The tubes as the model sees them, in three ways."""

    middle: Floats  # (N, d) the middle crop alone
    mean: Floats  # (N, d) Eq. 2 with the mean in place of the temporal part
    fused: Floats  # (N, d) Eq. 2


def judge(model: WordModel, tubes: Tubes) -> dict[str, Any]:
    """Figures by source of the boxes; only JSON types."""
    seen = features_of(model, tubes)
    return {
        "true_boxes": _figures(model, seen, tubes, ~tubes.by_motion),
        "motion_boxes": _figures(model, seen, tubes, tubes.by_motion),
        "ms_per_crop": round(_ms_per_crop(model, tubes), 3),
        "ms_per_object": round(_ms_per_object(model, tubes), 3),
    }


def features_of(model: WordModel, tubes: Tubes) -> Features:
    """As a host computes them."""
    prepared = (model.prepare(crop) for tube in tubes.crops for crop in tube)
    flat = np.concatenate([model.embed(crop[None, None]) for crop in prepared])
    embeddings = normalised(flat.reshape(len(tubes), model.frames, model.width))
    middle, alpha = embeddings[:, model.frames // 2], model.spec.alpha
    mean = normalised(embeddings.mean(axis=1))
    return Features(middle, normalised(alpha * mean + (1 - alpha) * middle), model.act(embeddings))


def _figures(
    model: WordModel, seen: Features, tubes: Tubes, rows: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    acts = tubes.acts[rows]
    titles = _read(model, [title(act) for act in ACTS])
    fused = seen.fused[rows] @ titles.T
    sentences = [text for act in ACTS for text in UNSEEN[act]]
    meant = np.array([ACTS.index(act) for act in ACTS for _ in UNSEEN[act]])
    unseen = meant[(seen.fused[rows] @ _read(model, sentences).T).argmax(axis=1)]
    return {
        "tubes": len(acts),
        "accuracy_one_crop": _recall(acts, (seen.middle[rows] @ titles.T).argmax(axis=1)),
        "accuracy_mean": _recall(acts, (seen.mean[rows] @ titles.T).argmax(axis=1)),
        "accuracy_tfc": _recall(acts, fused.argmax(axis=1)),
        "accuracy_tfc_unseen_sentences": _recall(acts, unseen),
        "confusion": _confusion(acts, fused.argmax(axis=1)),
        "cosines": _margins(acts, fused),
    }


def _read(model: WordModel, texts: list[str]) -> Floats:
    found = model.read(texts)
    assert found is not None, "a tiny model has a text tower"
    return found


def _recall(acts: npt.NDArray[np.int64], found: npt.NDArray[np.intp]) -> float:
    """Mean over the acts that occur of the part that is told right."""
    shares = [float((found[acts == act] == act).mean()) for act in np.unique(acts)]
    return round(sum(shares) / len(shares), 4)


def _confusion(acts: npt.NDArray[np.int64], found: npt.NDArray[np.intp]) -> Mapping[str, Any]:
    """Row: what it is; column: what it is taken for, in the order of ``ACTS``."""
    return {
        ACTS[act]: np.bincount(found[acts == act], minlength=len(ACTS)).tolist()
        for act in np.unique(acts)
    }


def _margins(acts: npt.NDArray[np.int64], cosines: Floats) -> Mapping[str, Any]:
    """Of each act's sentence: cosines with what it describes, with all else, and their AUC."""
    return {ACTS[act]: _margin(cosines[:, act], acts == act) for act in np.unique(acts)}


def _margin(cosines: Floats, own: npt.NDArray[np.bool_]) -> Mapping[str, float]:
    ranks = cosines.argsort().argsort() + 1
    count, others = int(own.sum()), int((~own).sum())
    auc = (ranks[own].sum() - count * (count + 1) / 2) / (count * others)
    return {
        "own_median": round(float(np.median(cosines[own])), 3),
        "others_95_percent": round(float(np.quantile(cosines[~own], 0.95)), 3),
        "auc": round(float(auc), 4),
    }


def _ms_per_crop(model: WordModel, tubes: Tubes) -> float:
    crops = tubes.crops[: -(-TIMED // model.frames)].reshape(-1, *tubes.crops.shape[2:])
    begin_s = time.perf_counter()
    for crop in crops:
        model.embed(model.prepare(crop)[None, None])
    return 1e3 * (time.perf_counter() - begin_s) / len(crops)


def _ms_per_object(model: WordModel, tubes: Tubes) -> float:
    """Of the temporal part alone, on embeddings."""
    embeddings = np.ones((len(tubes), model.frames, model.width), np.float32)
    begin_s = time.perf_counter()
    model.act(embeddings)
    return 1e3 * (time.perf_counter() - begin_s) / len(tubes)
