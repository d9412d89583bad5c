"""How well a network finds the abnormal frames of the test clips, seen in two ways.

*whole*: it sees each clip whole and every frame of a segment has its score, as in the papers,
which looks ahead. *live*: it sees the last ``window`` segments, its newest score counts, and a
frame has the score of the latest segment that had ended by then, as a live system has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge.domain.boxes import Floats
from edge.evaluation.figures import ClipScores, micro_auc
from edge.model.dakd import DakdNetwork
from export.dakd.features import FeatureSet, JudgedClip, Views

AT_ONCE = 64  # windows


@dataclass(frozen=True, slots=True)
class Figures:
    """Area under the ROC curve over the frames of all test clips.

    NaN where it is not defined: all frames are of one class, or there are none.
    """

    whole: float
    live: float

    def as_json(self) -> dict[str, float | None]:
        """Plain values; what is not defined is null."""
        both = {"whole": self.whole, "live": self.live}
        return {name: value if np.isfinite(value) else None for name, value in both.items()}

    def as_text(self) -> str:
        """In percent."""
        whole, live = (
            "not defined" if value is None else f"{100 * value:.1f}"
            for value in self.as_json().values()
        )
        return f"AUC {whole} (clips seen whole), {live} (live)"


def judge(network: DakdNetwork, features: FeatureSet, *, window: int) -> Figures:
    """Both figures of a network that reads these backbones."""
    clips = features.test.values()
    if not clips:
        return Figures(math.nan, math.nan)
    whole = [spread(clip, whole_scores(network, clip.views), ended=False) for clip in clips]
    live = [
        spread(clip, live_scores(network, clip.views, window=window), ended=True) for clip in clips
    ]
    return Figures(micro_auc(whole), micro_auc(live))


def whole_scores(network: DakdNetwork, views: Views) -> Floats:
    """Scores (m,) of a clip that is seen whole."""
    scores: Floats = _scores(network, [torch.tensor(view).unsqueeze(0) for view in views])[0]
    return scores


def live_scores(network: DakdNetwork, views: Views, *, window: int) -> Floats:
    """Scores (m,) where each is the newest of the last ``window`` segments, or of all so far."""
    begun = range(1, min(window, len(views[0]) + 1))  # segments, until a window is full
    scores = [whole_scores(network, tuple(view[:end] for view in views))[-1:] for end in begun]
    if len(views[0]) >= window:
        slid = [torch.tensor(view).unfold(0, window, 1).transpose(1, 2) for view in views]
        for start in range(0, len(slid[0]), AT_ONCE):
            windows = [each[start : start + AT_ONCE] for each in slid]  # (n, window, d_t)
            scores.append(_scores(network, windows)[:, -1])
    return np.concatenate(scores)


def spread(clip: JudgedClip, scores: Floats, *, ended: bool) -> ClipScores:
    """Scores (m,) of segments as scores of frames; ``ended``: a segment tells with its last frame.

    Before the first one is over nothing is known, and the score is 0.
    """
    begun = _ends(clip) if ended else clip.starts
    within = np.searchsorted(begun, np.arange(len(clip.labels)), side="right") - 1
    padded = np.r_[scores, 0.0].astype(np.float64)  # -1, before the first, is the last place
    return ClipScores(clip.labels, padded[within])


def _ends(clip: JudgedClip) -> npt.NDArray[np.intp]:
    """The last frame of each segment, (m,); the last segment is as long as the first."""
    last = len(clip.labels) - 1
    length = clip.starts[1] - clip.starts[0] if len(clip.starts) > 1 else last + 1
    return np.asarray(np.minimum(np.r_[clip.starts[1:], clip.starts[-1] + length] - 1, last))


def _scores(network: DakdNetwork, views: Sequence[Tensor]) -> Floats:
    """T times (B, L, d_t) → (B, L)."""
    with torch.inference_mode():
        logits, _ = network(views)
        scores: Floats = torch.sigmoid(logits).numpy()
    return scores
