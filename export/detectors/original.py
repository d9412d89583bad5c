"""A detector as Ultralytics runs it, which is what an export is compared with.

Ultralytics by itself looks up names on the network when it is imported, reports what it exports,
installs packages and downloads weights. Here it does none of that, by variables of the environment
that are set before it is imported.

A ``.pt`` file is a pickle: loading one can run any code that its author put in. It is therefore
loaded restrictedly, with torch's and Ultralytics' own classes and no others. All the same: load
checkpoints only of people you trust.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import pickle
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edge.errors import ModelError

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

ARCHITECTURES = ("yolo11n", "yolov8n", "yolo26n")
TASK = "detect"
OFFLINE = {
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "0",
    "YOLO_VERBOSE": "0",  # its log goes to the standard output, where our answer belongs
    "ULTRALYTICS_SAFE_LOAD": "1",
}
UNLOADABLE = (  # what torch and Ultralytics raise for a file that is no checkpoint
    AttributeError,
    EOFError,
    ImportError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A detection network in torch."""

    name: str  # for messages: where it comes from
    yolo: Any  # an ``ultralytics.YOLO``

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its classes."""
        names = self.yolo.model.names
        return tuple(str(names[index]) for index in sorted(names))

    def predict(self, pictures: Floats) -> Floats:
        """Run on RGB pictures (N, 3, H, W) of 0 to 1, sides multiples of 32: (N, 4 + C, A)."""
        with torch.inference_mode():
            predictions, _ = self.yolo.model.eval()(torch.from_numpy(pictures))
        return np.asarray(predictions.numpy(), np.float32)

    def to_onnx(self, size_px: int) -> bytes:
        """A graph of free batch and picture size; ``size_px`` is the longest side meant to be used.

        Raises ModelError where Ultralytics cannot export it.
        """
        with tempfile.TemporaryDirectory(prefix="vad-detector-") as folder:
            self.yolo.model.pt_path = str(Path(folder, "detector.pt"))  # it writes beside this
            try:
                with warnings.catch_warnings():
                    # torch says that Ultralytics uses its older exporter
                    warnings.simplefilter("ignore", DeprecationWarning)
                    made = self.yolo.export(
                        format="onnx", imgsz=size_px, dynamic=True, simplify=False, device="cpu"
                    )
            except UNLOADABLE as error:
                raise ModelError(f"{self.name}: Ultralytics cannot export it: {error}") from error
            return Path(made).read_bytes()


def load_original(path: Path) -> Original:
    """Load a checkpoint; see the module's words on trust.

    Raises ModelError where there is no such file, it is damaged or holds anything but a detector.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; download the checkpoint first")
    ultralytics = _ultralytics()
    log.warning("%s: a checkpoint is a program; load none of people you do not trust", path)
    try:
        with warnings.catch_warnings():
            # torch doubts pickles of a protocol that it does not write; they load or they do not
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            # the whole path: given a bare name, Ultralytics deletes a damaged file to fetch it anew
            yolo = ultralytics.YOLO(str(path.resolve()))
    except UNLOADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(
            f"{path}: no Ultralytics checkpoint, or damaged ({reason}); download it again"
        ) from error
    if yolo.task != TASK:
        raise ModelError(f"{path}: a model for the task {yolo.task!r}; name one for detection")
    return Original(str(path), yolo)


def random_original(architecture: str) -> Original:
    """One of ``ARCHITECTURES`` with weights that know nothing, for trying things out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Original(f"random {architecture}", _ultralytics().YOLO(f"{architecture}.yaml"))


def download(architecture: str, folder: Path) -> Path:
    """Have Ultralytics fetch the weights of an architecture into a folder; their path.

    Raises ModelError where that fails.
    """
    _ultralytics()
    from ultralytics.utils.downloads import attempt_download_asset

    target = folder / f"{architecture}.pt"
    try:
        attempt_download_asset(str(target))
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{target.name}: cannot be downloaded: {error}") from error
    return target


@functools.cache
def _ultralytics() -> ModuleType:
    """Import Ultralytics, silent and cut off; raises ModelError where it would run pickles."""
    folder = tempfile.mkdtemp(prefix="vad-ultralytics-")  # of its settings
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(OFFLINE, YOLO_CONFIG_DIR=folder)
    import ultralytics
    from ultralytics import utils

    if not getattr(utils, "SAFE_LOAD", False):
        raise ModelError(
            f"ultralytics {ultralytics.__version__} runs whatever code is in a checkpoint;"
            " install a newer one"
        )
    return ultralytics
