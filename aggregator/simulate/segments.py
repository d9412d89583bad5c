"""The bench for a student that scores segments of whole clips (CLAP, section 3.3).

Two figures are told. *Causal*: a frame has the score of the latest segment that had ended by
then, as a live system would. *Segment*: every frame of a segment has its score, as in the
papers, which looks ahead by up to a segment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aggregator.simulate.objects import clip_figures
from aggregator.simulate.problem import OWN_AUC, Array, Figures, Participant, Score, Video
from aggregator.simulate.splits import Owners
from edge.domain.weights import Weights
from edge.errors import DatasetError
from edge.evaluation.figures import ClipScores, Labels, macro_auc, micro_auc
from edge.scoring.calibration import TailCalibration

Prepare: TypeAlias = Callable[[Array], Callable[[Array], Array]]

ANYBODY = "anybody"  # whose clips are everybody's
NOT_YET = -1  # before the first segment has ended: nothing is known, the score is 0


@dataclass(frozen=True, slots=True, eq=False)
class LabelledClip:
    """A labelled clip of m segments and T frames."""

    name: str
    values: Array  # (m, d)
    labels: Labels  # (T,)
    known: npt.NDArray[np.intp]  # (T,) the latest segment that has ended, or NOT_YET
    within: npt.NDArray[np.intp]  # (T,) the segment that the frame lies in

    def spread(self, scores: Array) -> tuple[ClipScores, ClipScores]:
        """Scores of the segments (m,) as causal scores of the frames, and as the papers'."""
        padded = np.r_[scores, 0.0].astype(np.float64)  # NOT_YET is the last place
        return (
            ClipScores(self.labels, padded[self.known]),
            ClipScores(self.labels, padded[self.within]),
        )


def labelled_clip(
    name: str, values: Array, labels: Labels, starts: npt.NDArray[np.intp]
) -> LabelledClip:
    """A clip whose segment j begins at frame ``starts[j]`` and ends where the next one begins."""
    frames = np.arange(len(labels))
    within = np.searchsorted(starts, frames, side="right") - 1
    last = frames == len(labels) - 1  # the last segment ends with the clip
    return LabelledClip(name, values, labels, np.where(last, within, within - 1), within)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Clips that one participant's model is judged by."""

    participant: str
    clips: tuple[LabelledClip, ...]
    normal: Array | None = None  # (R, d) rows that energies are calibrated on; None: need none

    def scores(self, model: Weights, score: Score) -> list[tuple[ClipScores, ClipScores]]:
        """Causal and papers' scores of each clip."""
        if self.normal is None:
            return [clip.spread(score(model, clip.values)) for clip in self.clips]
        usual = TailCalibration.fit(score(model, self.normal))
        return [clip.spread(usual.surprise(score(model, clip.values))) for clip in self.clips]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentBench:
    """Test clips that have a home are scored there, and the frames of all homes are pooled.

    Where no clip has a home, every participant's model scores all of them, and the figures are
    the mean over the participants.
    """

    panels: tuple[Panel, ...]
    at_home: bool

    def figures(self, models: Mapping[str, Weights], score: Score) -> Figures:
        """Judge one model per participant; one that several share scores equal clips once."""
        known: dict[tuple[int, ...], list[tuple[ClipScores, ClipScores]]] = {}
        panels = {}
        for panel in self.panels:
            model = models[panel.participant]
            key = (id(model), id(panel.normal), *map(id, panel.clips))
            if key not in known:
                known[key] = panel.scores(model, score)
            panels[panel.participant] = known[key]
        if self.at_home:
            return _both(panels)
        each = [_both({ANYBODY: panel}) for panel in panels.values()]
        figures = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
        del figures[OWN_AUC + ANYBODY]
        own = zip(panels, each, strict=True)
        return figures | {OWN_AUC + name: one["auc_micro_causal"] for name, one in own}


def deal_clips(
    videos: Mapping[str, Video],
    tests: Mapping[str, LabelledClip],
    owners: Owners,
    prepare: Prepare | None = None,
) -> tuple[list[Participant], tuple[Panel, ...], bool]:
    """Participants that have training clips, a panel for each, and whether tests have homes.

    ``prepare`` learns from a participant's rows how it sees its own clips and those it is
    judged by. Raises DatasetError where nobody has anything to learn from, or to be judged by.
    """
    homes = {clip: name for name, clips in owners.items() for clip in clips if clip in tests}
    participants, panels = [], []
    for name, clips in owners.items():
        own = [videos[clip] for clip in clips if clip in videos]
        judged = [c for clip, c in tests.items() if not homes or homes.get(clip) == name]
        if not own:
            continue
        if prepare is not None:
            see = prepare(np.concatenate([video.values for video in own]))
            own = [replace(video, values=see(video.values)) for video in own]
            judged = [replace(clip, values=see(clip.values)) for clip in judged]
        participants.append(Participant(name, tuple(own)))
        panels.append(Panel(name, tuple(judged)))
    if not any(panel.clips for panel in panels):
        raise DatasetError("no participant has both training clips and test clips: check the split")
    return participants, tuple(panels), bool(homes)


def _both(panels: Mapping[str, Sequence[tuple[ClipScores, ClipScores]]]) -> Figures:
    causal = {name: [clip for clip, _ in panel] for name, panel in panels.items()}
    papers = [clip for panel in panels.values() for _, clip in panel]
    return {
        **clip_figures(causal),
        "auc_micro_segment": micro_auc(papers),
        "auc_macro_segment": macro_auc(papers),
    }
