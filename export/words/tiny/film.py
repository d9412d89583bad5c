"""Tubes of crops out of generated streets, cut as a host cuts them, with what they show.

Two sources: the true boxes, shaken, as a detector network would draw them; and the tracks of the
motion detector, whose boxes are blobs: they merge neighbours, lose feet and catch shadows.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.domain.boxes import Boxes, Floats, areas
from edge.domain.frame import Frame
from edge.domain.segment import SEGMENT_FRAMES
from edge.domain.truth import ObjectTruth
from edge.features.embedding import MARGIN, Picture, crops
from edge.ingest.synthetic import ANOMALIES, KINDS, Street, StreetOptions
from edge.perception.perception import Perception
from export.words.tiny.acts import ACTS, Act, act_of

TRAINING_SEED = 9000  # the first scene seed of those that it learns from: use no street above it
HELD_OUT_SEED = 8000  # and of those that judge it
STREET_S = 40.0
EVENTS_PER_MINUTE = 24.0  # everything that a kind of street knows, and often
SIZE_PX = 64  # side of a crop

STEPS = (2, 3)  # analysed frames from one crop of a tube to the next: a host embeds at 4 Hz
EVERY_FRAMES = 4  # of a track, a tube ends
MOST_TUBES = 14  # of one act, of one source, of one street
SHIFT, SCALE = 0.08, 0.12  # of a true box's sides, at most: how it is shaken

LEAST_INSIDE = 0.5  # of a blob that lies in the boxes of one act, which it then shows
MOST_OTHERS = 0.3  # of it that lies in another act's
MOST_NOTHING = 0.1  # of a blob that lies in any box at all, and still nothing is there


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """N objects, each as n crops of the same size, oldest first."""

    crops: npt.NDArray[np.uint8]  # (N, n, S, S, 3) BGR
    acts: npt.NDArray[np.int64]  # (N,) index into ACTS
    by_motion: npt.NDArray[np.bool_]  # (N,) cut from a motion track, not from a true box

    def __len__(self) -> int:
        return len(self.acts)

    @classmethod
    def joined(cls, parts: Sequence[Tubes]) -> Tubes:
        """Several as one; at least one."""
        return cls(
            np.concatenate([part.crops for part in parts]),
            np.concatenate([part.acts for part in parts]),
            np.concatenate([part.by_motion for part in parts]),
        )


def streets(first_seed: int, count: int) -> dict[str, StreetOptions]:
    """``count`` streets of each kind by name, one scene seed each, full of everything."""
    return {
        f"{kind}-{seed}": StreetOptions(
            kind=kind,
            seed=seed,
            scene_seed=seed,
            duration_s=STREET_S,
            anomalies=ANOMALIES[kind],
            anomalies_per_minute=EVENTS_PER_MINUTE,
        )
        for seed in range(first_seed, first_seed + count)
        for kind in KINDS
    }


def settings(options: StreetOptions) -> str:
    """A name for all that the tubes of a street depend on."""
    made = (options, SIZE_PX, STEPS, EVERY_FRAMES, MOST_TUBES, SHIFT, SCALE, ACTS, SEGMENT_FRAMES)
    cut = (LEAST_INSIDE, MOST_OTHERS, MOST_NOTHING, MARGIN)
    return hashlib.sha256(repr((made, cut)).encode()).hexdigest()[:12]


def film(options: StreetOptions, *, most: int = MOST_TUBES) -> Tubes:
    """At most ``most`` tubes of each act and source, a fair sample; equal options, equal tubes."""
    rng = np.random.default_rng((options.scene_seed, options.seed, KINDS.index(options.kind)))
    kept: dict[tuple[Act, bool], list[Sequence[Picture]]] = {}
    offered: dict[tuple[Act, bool], int] = {}
    for act, by_motion, tube in _tubes(options, rng):
        key = act, by_motion
        offered[key] = offered.get(key, 0) + 1
        sample = kept.setdefault(key, [])
        if len(sample) < most:
            sample.append(tube)
        elif (place := int(rng.integers(offered[key]))) < most:  # a reservoir: all equally likely
            sample[place] = tube
    return _packed(kept)


def act_in(box: Floats, objects: Boxes, acts: Sequence[Act]) -> Act | None:
    """What a blob (4,) shows, given all true boxes (K, 4); None where that is not clear."""
    inside = _inside(box, objects)
    shares = {act: 0.0 for act in acts}
    for act, share in zip(acts, inside, strict=True):
        shares[act] = max(shares[act], float(share))
    if inside.sum() <= MOST_NOTHING:
        return "nothing"
    best = max(shares, key=lambda act: shares[act])
    others = max((share for act, share in shares.items() if act != best), default=0.0)
    return best if shares[best] >= LEAST_INSIDE and others <= MOST_OTHERS else None


def _inside(box: Floats, objects: Boxes) -> Floats:
    """Part of a box that lies in each of the objects' boxes, (K,)."""
    low, high = np.maximum(box[:2], objects[:, :2]), np.minimum(box[2:], objects[:, 2:])
    overlap = np.maximum(high - low, 0).prod(axis=1)
    return np.asarray(overlap / max(float(areas(box[None])[0]), 1.0), np.float32)


def _packed(kept: Mapping[tuple[Act, bool], Sequence[Sequence[Picture]]]) -> Tubes:
    rows = [(act, moved, tube) for (act, moved), tubes in kept.items() for tube in tubes]
    shape = (len(rows), SEGMENT_FRAMES, SIZE_PX, SIZE_PX, 3)
    return Tubes(
        np.array([tube for _, _, tube in rows], np.uint8).reshape(shape),
        np.array([ACTS.index(act) for act, _, _ in rows], np.int64),
        np.array([moved for _, moved, _ in rows], np.bool_),
    )


@dataclass(slots=True)
class _Ring:
    """The latest crops of one object."""

    crops: deque[Picture]
    acts: deque[Act | None]
    frames: int = 0

    @classmethod
    def empty(cls) -> _Ring:
        longest = (SEGMENT_FRAMES - 1) * max(STEPS) + 1
        return cls(deque(maxlen=longest), deque(maxlen=longest))

    def push(self, crop: Picture, act: Act | None) -> None:
        self.crops.append(crop)
        self.acts.append(act)
        self.frames += 1

    def tube(self, step: int) -> tuple[Act, list[Picture]] | None:
        """Every ``step``-th crop to the newest, the oldest repeated while it is new.

        It shows what its newer half does, from the middle crop on; None where that is not one act.
        """
        places = [max(len(self.crops) - 1 - step * k, 0) for k in range(SEGMENT_FRAMES)][::-1]
        shown = [self.acts[place] for place in places[SEGMENT_FRAMES // 2 :]]
        act = shown[-1]
        if act is None or shown[0] != act or not set(shown) <= {act, None}:
            return None
        return act, [self.crops[place] for place in places]


def _tubes(
    options: StreetOptions, rng: np.random.Generator
) -> Iterator[tuple[Act, bool, Sequence[Picture]]]:
    rings: dict[Hashable, _Ring] = {}
    for key, crop, act in _cuts(options, rng):
        ring = rings.setdefault(key, _Ring.empty())
        ring.push(crop, act)
        if ring.frames % EVERY_FRAMES == 0:  # by then even a new one has two crops
            found = ring.tube(int(rng.choice(STEPS)))
            if found is not None:
                yield found[0], isinstance(key, int), found[1]


def _cuts(
    options: StreetOptions, rng: np.random.Generator
) -> Iterator[tuple[Hashable, Picture, Act | None]]:
    """Every object of every frame: a track's number, or a text for a true one; crop; act."""
    perception = Perception()
    for picture, truth in Street(options):
        frame = Frame.from_bgr(
            picture, camera="", index=truth.index, time_s=truth.time_s, received_s=truth.time_s
        )
        bgr = frame.bgr()  # with the colours that a decoder leaves
        objects, acts = _boxes(truth.objects), [act_of(each) for each in truth.objects]
        names: list[Hashable] = [f"true {each.object_id}" for each in truth.objects]
        for name, box, act in zip(names, shaken(objects, rng), acts, strict=True):
            for crop in crops(bgr, box[None]):
                yield name, _small(crop), act
        tracks = perception.observe([frame])[0].tracks
        for number, box in zip(tracks.track_id.tolist(), tracks.boxes_xyxy, strict=True):
            for crop in crops(bgr, box[None]):
                yield number, _small(crop), act_in(box, objects, acts)


def shaken(boxes_xyxy: Boxes, rng: np.random.Generator) -> Boxes:
    """Boxes (K, 4) as a detector might have drawn them."""
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    middle = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    middle = middle + sides * rng.uniform(-SHIFT, SHIFT, sides.shape)
    half = sides / 2 * rng.uniform(1 - SCALE, 1 + SCALE, sides.shape)
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def _boxes(objects: Sequence[ObjectTruth]) -> Boxes:
    return np.array([each.box_xyxy for each in objects], np.float32).reshape(-1, 4)


def _small(crop: Picture) -> Picture:
    """In the tower's own size; see ``edge.model.backbone.BackboneSpec.fit``."""
    shrinks = crop.shape[0] > SIZE_PX and crop.shape[1] > SIZE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (SIZE_PX, SIZE_PX), interpolation=how), np.uint8)
