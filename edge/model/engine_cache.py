"""TensorRT engines that were built ahead: found by the live process, never built by it.

::

    MODEL.onnx.tensorrt/KEY/plan.json    what was built, and how; written last
    MODEL.onnx.tensorrt/KEY/*.engine     ONNX Runtime's own; it finds them under the same options
    MODEL.onnx.tensorrt/KEY/model.plan   the same network for whoever runs TensorRT by itself

An engine holds for one GPU, driver, TensorRT, ONNX Runtime and model; KEY names all five. Like a
program, an engine is trusted: it belongs on the machine that built it, and is never passed on.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import onnxruntime as ort

from edge.atomic import write_atomically

log = logging.getLogger(__name__)

TENSORRT = "TensorrtExecutionProvider"
CUDA_LIBRARY, TENSORRT_LIBRARY, NVML_LIBRARY = (
    "libcuda.so.1",
    "libnvinfer.so.10",
    "libnvidia-ml.so.1",
)
FORMAT = "vad-tensorrt-1"
PLAN, STANDALONE = "plan.json", "model.plan"
VALUES = "weights.safetensors"  # beside a student's graph: its values
NAME_BYTES = 256  # of a GPU or a driver

Options: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Device:
    """What an engine is built for, besides the model."""

    gpu: str  # "NVIDIA L4"
    driver: str
    tensorrt: str
    onnxruntime: str = ort.__version__


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes that an engine takes for one input."""

    least: tuple[int, ...]
    usual: tuple[int, ...]  # for which it is fastest
    most: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How an engine is built; ONNX Runtime takes a cached one under equal options only."""

    inputs: Mapping[str, Shapes]
    fp16: bool = False  # 16-bit floats where TensorRT finds them faster
    int8: bool = False  # the graph is in 8-bit numbers

    def options(self, folder: Path) -> Options:
        """ONNX Runtime's, for engines that are kept in this folder."""
        return {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_fp16_enable": str(int(self.fp16)),
            "trt_int8_enable": str(int(self.int8)),
            "trt_profile_min_shapes": self._profile(lambda shapes: shapes.least),
            "trt_profile_opt_shapes": self._profile(lambda shapes: shapes.usual),
            "trt_profile_max_shapes": self._profile(lambda shapes: shapes.most),
        }

    def _profile(self, which: Callable[[Shapes], tuple[int, ...]]) -> str:
        """``x:1x32x512``, inputs comma between."""
        shapes = {name: "x".join(map(str, which(entry))) for name, entry in self.inputs.items()}
        return ",".join(f"{name}:{shape}" for name, shape in shapes.items())


def engine_folder(model: Path, device: Device) -> Path:
    """Where the engines of this very model for this device belong; raises OSError."""
    digest = hashlib.sha256(model.read_bytes())
    values = model.with_name(VALUES)
    if values.is_file():
        digest.update(values.read_bytes())
    named = json.dumps([asdict(device), digest.hexdigest()], sort_keys=True)
    key = hashlib.sha256(named.encode()).hexdigest()[:16]
    return model.with_name(f"{model.name}.tensorrt") / key


def save_plan(folder: Path, plan: Plan) -> None:
    """Declare the engines in a folder complete; raises StorageError."""
    written = {"format": FORMAT, **asdict(plan)}
    write_atomically(folder / PLAN, json.dumps(written, indent=1).encode())


def find_engine(model: Path, device: Device | None) -> Options | None:
    """The options under which ONNX Runtime finds the engine of a model; None: none was built."""
    if device is None:
        return None
    folder = engine_folder(model, device)
    if not (folder / PLAN).is_file() or not any(folder.glob("*.engine")):
        return None
    try:
        return _plan(json.loads((folder / PLAN).read_bytes())).options(folder)
    except (OSError, LookupError, TypeError, ValueError) as error:
        log.warning("%s cannot be used (%s): build the engine again", folder / PLAN, error)
        return None


@functools.cache
def find_device() -> Device | None:
    """The GPU that ONNX Runtime would use, the first that CUDA shows; None: there is none."""
    cuda, tensorrt = load_library(CUDA_LIBRARY), load_library(TENSORRT_LIBRARY)
    if cuda is None or tensorrt is None:
        return None
    number, name = ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES)
    failed = (
        cuda.cuInit(0)
        or cuda.cuDeviceGet(ctypes.byref(number), 0)
        or cuda.cuDeviceGetName(name, NAME_BYTES, number)
    )
    if failed:
        return None
    driver = _driver() or _cuda_version(cuda)
    return Device(name.value.decode(errors="replace"), driver, str(tensorrt.getInferLibVersion()))


def load_library(name: str) -> ctypes.CDLL | None:
    """A shared library of the system; None where it is not there."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def _driver() -> str:
    """Its version by NVIDIA's management library; "" where that is not there."""
    nvml = load_library(NVML_LIBRARY)
    if nvml is None or nvml.nvmlInit_v2():
        return ""
    version = ctypes.create_string_buffer(NAME_BYTES)
    failed = nvml.nvmlSystemGetDriverVersion(version, NAME_BYTES)
    nvml.nvmlShutdown()
    return "" if failed else version.value.decode(errors="replace")


def _cuda_version(cuda: ctypes.CDLL) -> str:
    """What the driver supports, where nobody tells its own version, as on Jetson boards."""
    version = ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    return f"CUDA {version.value}"


def _plan(written: Mapping[str, object]) -> Plan:
    """Raises LookupError, TypeError or ValueError for anything but a plan of this format."""
    if written["format"] != FORMAT or not isinstance(written["inputs"], dict):
        raise ValueError(f"not of format {FORMAT}")
    if not written["inputs"]:
        raise ValueError("no input")
    inputs = {str(name): _shapes(shapes) for name, shapes in written["inputs"].items()}
    return Plan(inputs, fp16=bool(written["fp16"]), int8=bool(written["int8"]))


def _shapes(written: Mapping[str, list[int]]) -> Shapes:
    least, usual, most = (tuple(map(int, written[which])) for which in ("least", "usual", "most"))
    return Shapes(least, usual, most)
