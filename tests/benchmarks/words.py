"""Words on generated streets: AUC, other scenes, sentences, a rare action, what it all costs.

::

    python -m tests.benchmarks.words --words FOLDER --work DIR [--seeds 5] [--towers FOLDER ...]

``FOLDER`` is a word model (``vad-export words-tiny``). Scenes begin at seed 100, which no training
of it has seen; nothing is chosen by their labels. Each figure is written to ``DIR/results.json`` as
soon as it is known, and whoever is interrupted goes on from there. ``--towers``: more word models,
of which only the cost is measured.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np

from edge.atomic import write_atomically
from edge.commands.report import say
from edge.domain.guidance import Polarity
from edge.evaluation.figures import roc_auc
from edge.ingest.synthetic import KINDS, StreetOptions
from edge.ingest.synthetic.splits import street_splits
from edge.ingest.synthetic.world import Planted
from edge.model.words import load_words
from edge.scoring.guidance import Guidance, Guide
from edge.scoring.model import CameraModel
from edge.scoring.words import Words
from tests.benchmarks.street_clips import (
    TERMS,
    Seen,
    Terms,
    doing,
    labels,
    learn,
    measured,
    passes,
    scores,
)
from tests.benchmarks.words_cost import cost
from tests.benchmarks.words_tables import tables

FIRST_SCENE = 100
HZ = 10.0
CLIP_S, TRAIN_CLIPS, TEST_CLIPS = 60.0, 4, 4
CROSSED = 3  # scenes of a kind that are held against each other

SENTENCES = (  # kind of street, what is done, how it is said, what it is from now on
    ("precinct", "running", "a person running", Polarity.NORMAL),
    ("precinct", "cycling", "a person riding a bicycle", Polarity.NORMAL),
    ("precinct", "driving", "a car driving past", Polarity.NORMAL),
    ("road", "cycling", "a person riding a bicycle", Polarity.ANOMALOUS),
    ("road", "driving", "a car driving past", Polarity.ANOMALOUS),
)
RARE, RARE_S = "cycling", 300.0
RARE_PASSES = 3  # in RARE_S: 0.5 to 1 % of all that is said of objects in it
RARE_TEST_S = 120.0

Row = dict[str, Any]


class Bench:
    """The measured clips of a few scenes at a time, and what a camera learns of them."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.scene = cache(self._scene)
        self.model = cache(self._model)

    def forget(self) -> None:
        """Clips are large: those of the kind that is done make room."""
        self.scene.cache_clear()
        self.model.cache_clear()

    def _scene(self, kind: str, seed: int) -> tuple[list[list[Seen]], list[list[Seen]]]:
        say(f"watching {kind} {seed}")
        street = StreetOptions(kind=kind, seed=seed, scene_seed=seed, fps=HZ)
        split = street_splits(street, train_clips=TRAIN_CLIPS, test_clips=TEST_CLIPS, clip_s=CLIP_S)
        clips = list(measured([*split.train.values(), *split.test.values()], self.words))
        return clips[:TRAIN_CLIPS], clips[TRAIN_CLIPS:]

    def _model(self, kind: str, seed: int, terms: Terms) -> CameraModel:
        return learn(self.scene(kind, seed)[0], self.words, terms)

    def auc(self, kind: str, learnt: int, tested: int) -> Row:
        """Micro, causal, of a camera that learnt one scene and is shown another, by its terms."""
        clips = self.scene(kind, tested)[1]
        truth = np.concatenate([labels(clip) for clip in clips])
        found = {}
        for terms in TERMS:
            model = self.model(kind, learnt, terms)
            found[terms] = roc_auc(truth, np.concatenate([scores(model, clip) for clip in clips]))
        return found

    def sentence(self, kind: str, act: str, text: str, polarity: Polarity, seed: int) -> Row:
        """What one sentence changes in the fused score, per act and for normal frames."""
        clips, model = self.scene(kind, seed)[1], self.model(kind, seed, "fused")
        said = Guidance("1", text, polarity, self.words.model.read([text])[0])
        acts = ("running", "cycling", "driving", "loitering", "left", "wrong_way")
        found: Row = {}
        for when, follows in (("before", ()), ("after", (said,))):
            guided = []
            for clip in clips:
                guide = Guide(self.words.model.prompts.embeddings)
                guide.follow(follows)
                guided.append((clip, scores(model, clip, guide=guide)))
            told = partial(_told, guided, threshold=model.threshold)
            others = [other for other in acts if other != act]
            found[when] = {
                "it": told([act]),
                "others": told(others, without=act),
                "nobody": _calm(guided, act),
            }
        return found

    def rare(self, seed: int) -> Row:
        """A normal action seen a few times: passes that alarm, by how centres are chosen."""
        base = StreetOptions(scene_seed=seed, fps=HZ)
        times = np.linspace(0.2, 0.8, RARE_PASSES) * RARE_S
        planted = tuple(Planted(RARE, at_s) for at_s in times.tolist())
        shown = replace(base, seed=1000 * seed + 300, duration_s=RARE_S, planted=planted)
        tested = replace(base, seed=1000 * seed + 700, duration_s=RARE_TEST_S)
        tests = [
            replace(tested, anomalies=(act,), anomalies_per_minute=6.0, normal_s=8.0)
            for act in (RARE, "running")
        ]
        taught, *clips = measured([shown, *tests], self.words)
        without = [seen for seen in taught if not seen.truth.anomalous]
        found: Row = {"share": _share(taught, RARE)}
        for terms in ("words", "fused"):
            never = learn([without], self.words, terms)
            ours = learn([taught], self.words, terms)
            with patch("edge.scoring.words._covering", lambda centres, *_, **__: centres):
                plain_centres = learn([taught], self.words, terms)
            models = {"never seen": never, "k-means++": plain_centres, "ours": ours}
            for name, model in models.items():
                found[f"{terms}, {name}"] = {
                    act: _told([(clip, scores(model, clip))], [act], threshold=model.threshold)
                    for act, clip in zip((RARE, "running"), clips, strict=True)
                }
        return found


def _told(
    scored: Sequence[tuple[Sequence[Seen], np.ndarray]],
    acts: Sequence[str],
    *,
    threshold: float,
    without: str = "",
) -> Row:
    """Median over all passes of the highest score, and the share of passes that would alarm."""
    peaks = [
        values[frames].max()
        for clip, values in scored
        for act in acts
        for frames in passes(clip, act, without=without)
    ]
    if not peaks:
        return {"passes": 0}
    peaks_found = np.array(peaks)
    alarmed = float((peaks_found >= threshold).mean())
    return {"passes": len(peaks), "score": float(np.median(peaks_found)), "alarmed": alarmed}


def _calm(scored: Sequence[tuple[Sequence[Seen], np.ndarray]], act: str) -> Row:
    """The mean score of frames in which nobody does it and nothing is anomalous."""
    values = []
    for clip, found in scored:
        shown = np.zeros(len(clip), bool)
        for frames in passes(clip, act):
            shown[frames] = True
        values.append(found[~shown & ~labels(clip)])
    return {"score": float(np.concatenate(values).mean())}


def _share(clip: Sequence[Seen], act: str) -> float:
    """Of all objects in all frames, how many do it."""
    said = [doing(each) == act for seen in clip for each in seen.truth.objects]
    return float(np.mean(said))


def _wanted(bench: Bench, options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Every figure by name, kind by kind, for clips of one kind fit into memory."""
    seeds = range(FIRST_SCENE, FIRST_SCENE + options.seeds)
    crossed = seeds[:CROSSED]
    for kind in KINDS:
        pairs = [(seed, seed) for seed in seeds]
        pairs += [(a, b) for a, b in product(crossed, repeat=2) if a != b]
        for learnt, tested in sorted(pairs, key=max):
            yield f"auc {kind} {learnt} {tested}", partial(bench.auc, kind, learnt, tested)
        for sentence, seed in product(SENTENCES, seeds):
            if sentence[0] == kind:
                name = f"{sentence[3].value} {kind} {sentence[1]} {seed}"
                yield f"said {name}", partial(bench.sentence, *sentence, seed)
        bench.forget()
    for seed in seeds:
        yield f"rare {seed}", partial(bench.rare, seed)
    for tower in (options.words, *options.towers):
        yield f"cost {tower.name}", partial(cost, tower)


def main() -> None:
    options = _options()
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "results.json"
    found: Row = json.loads(path.read_text()) if path.exists() else {}
    bench = Bench(Words(load_words(options.words)))
    for name, compute in _wanted(bench, options):
        if name not in found:
            began_s = time.monotonic()
            found[name] = compute()
            write_atomically(path, json.dumps(found, indent=1).encode())
            say(f"{name}: {time.monotonic() - began_s:.0f} s")
    print(tables(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--towers", type=Path, nargs="*", default=[], metavar="FOLDER")
    return parser.parse_args()


if __name__ == "__main__":
    main()
