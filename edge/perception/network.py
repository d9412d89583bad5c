"""Detector networks in ONNX: Ultralytics v8, 11 and 26, and YOLOX."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.domain.detections import Detections
from edge.errors import ModelError
from edge.model.runtime import RUNTIME_ERRORS, open_session
from edge.perception.card import Card, read_card, read_labels
from edge.perception.detector import Detector, Picture
from edge.perception.layouts import Array, Layout, class_count, decode, fits, guess, suppress
from edge.perception.letterbox import Letterbox, smallest_canvas

LARGEST_BATCH = 8  # of networks with a free batch: bounds memory
STRIDE_PX = 32  # sides of a free input are multiples of it


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """How detections are chosen."""

    confidence: float = 0.1  # least; the tracker makes use of weak detections
    overlap: float = 0.65  # two boxes of a class that overlap more are one object
    most: int = 300  # detections of a picture
    classes: Collection[str] | None = None  # labels to keep; None: all
    layout: Layout | None = None  # None: found out from the network
    side_px: int | None = None  # longer side of a free input; None: what the network says


class Network(Detector):
    """A detector network of an ONNX file; several threads may share it."""

    def __init__(
        self, path: Path, *, labels: Path | None = None, settings: NetworkSettings | None = None
    ) -> None:
        """Load the network and run it once.

        ``labels`` is a text file of one label a line; Ultralytics' exports bring their own.

        Raises ModelError where the file is no detector that is understood, or its labels do not
        fit.
        """
        self._settings = settings or NetworkSettings()
        self._session = open_session(path)
        self._card = read_card(path, self._session, self._settings.side_px)
        width, height = self._card.canvas
        shape = self._run([np.zeros((height, width, 3), np.uint8)], rgb=False)[0].shape
        self._layout = _layout(self._card, shape, self._settings.layout)
        self._labels = _labels(self._card, labels, class_count(self._layout, shape))
        self._wanted = _wanted(path, self._labels, self._settings.classes)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names that ``class_id`` of the detections points into."""
        return self._labels

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """What is in each picture, boxes in its own pixels; pictures may differ in size."""
        found = [Detections.none() for _ in pictures]
        boxed = [self._letterbox(picture) for picture in pictures]
        for canvas in sorted({box.canvas for box in boxed}):
            places = [place for place, box in enumerate(boxed) if box.canvas == canvas]
            canvases = [boxed[place].apply(pictures[place]) for place in places]
            outputs = self._run(canvases, rgb=self._layout is not Layout.YOLOX)
            for place, output in zip(places, outputs, strict=True):
                found[place] = self._detections(output, boxed[place])
        return found

    def _letterbox(self, picture: Picture) -> Letterbox:
        size, canvas = (picture.shape[1], picture.shape[0]), self._card.canvas
        if self._card.free_size:
            canvas = smallest_canvas(size, canvas, STRIDE_PX)
        return Letterbox.fit(size, canvas, centred=self._layout is not Layout.YOLOX)

    def _run(self, canvases: Sequence[Picture], *, rgb: bool) -> list[Array]:
        """One output (rows, columns) for each of some canvases of one size."""
        step = self._card.batch or LARGEST_BATCH
        outputs: list[Array] = []
        for start in range(0, len(canvases), step):
            part = np.stack(canvases[start : start + step])
            feed = {self._card.input_name: self._blob(part[..., ::-1] if rgb else part, rgb=rgb)}
            try:
                (output,) = self._session.run([self._card.output_name], feed)
            except RUNTIME_ERRORS as error:
                raise ModelError(f"{self._card.path}: does not run: {error}") from error
            outputs.extend(np.asarray(output[: len(part)], np.float32))
        return outputs

    def _blob(self, pictures: npt.NDArray[np.uint8], *, rgb: bool) -> npt.NDArray[np.generic]:
        """(N, H, W, 3) pictures as the network's input, a fixed batch filled up with black."""
        missing = (self._card.batch or len(pictures)) - len(pictures)
        planes = np.pad(pictures, ((0, missing), (0, 0), (0, 0), (0, 0))).transpose(0, 3, 1, 2)
        blob = np.ascontiguousarray(planes, self._card.input_type)
        if rgb and blob.dtype != np.uint8:
            blob /= 255  # YOLOX takes 0 to 255
        return blob

    def _detections(self, output: Array, box: Letterbox) -> Detections:
        settings = self._settings
        found = decode(self._layout, output, box.canvas, least_confidence=settings.confidence)
        if self._wanted is not None:
            found = found.where(np.isin(found.class_id, self._wanted))
        found = found.where((found.class_id >= 0) & (found.class_id < len(self._labels)))
        if self._layout is not Layout.END_TO_END:
            found = suppress(found, overlap=settings.overlap, most=settings.most)
        boxes = box.restore(found.boxes_xyxy)
        found = Detections(boxes, found.confidence, found.class_id)
        return found.where(np.asarray((boxes[:, 2:] > boxes[:, :2]).all(axis=1)))


def _layout(card: Card, shape: tuple[int, ...], told: Layout | None) -> Layout:
    known = ", ".join(f"{layout.value}" for layout in Layout)
    if len(shape) != 2:
        raise ModelError(f"{card.path}: output {shape} per picture is none of: {known}")
    found = guess(shape, card.canvas, from_ultralytics=card.from_ultralytics)
    if (layout := told or found) is None:
        raise ModelError(
            f"{card.path}: output {shape} per picture is none of: {known};"
            " export a detection model, or name the layout in the configuration"
        )
    if not fits(layout, shape, card.canvas):
        raise ModelError(
            f"{card.path}: output {shape} per picture is not of the layout {layout.value} that"
            " the configuration names; leave the layout out to have it found"
        )
    return layout


def _labels(card: Card, file: Path | None, count: int | None) -> tuple[str, ...]:
    labels = read_labels(file) if file else card.names
    if labels is None:
        raise ModelError(f"{card.path}: brings no labels; name a file of labels, one a line")
    if count is not None and len(labels) != count:
        raise ModelError(
            f"{card.path}: tells {count} classes apart, but {file or 'its metadata'} has"
            f" {len(labels)} labels; use the labels that the model was trained with"
        )
    return labels


def _wanted(
    path: Path, labels: tuple[str, ...], classes: Collection[str] | None
) -> list[int] | None:
    if classes is None:
        return None
    if unknown := sorted(set(classes) - set(labels)):
        raise ModelError(
            f"{path}: knows no class {', '.join(unknown)}; it has: {', '.join(labels)}"
        )
    return [index for index, label in enumerate(labels) if label in set(classes)]
