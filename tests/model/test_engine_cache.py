import ctypes
import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.model import engine_cache, runtime
from edge.model.engine_cache import (
    PLAN,
    Device,
    Plan,
    Shapes,
    engine_folder,
    find_device,
    find_engine,
    save_plan,
)

L4 = Device("NVIDIA L4", "570.86", "101300", "1.31.1")
PICTURES = Plan({"pictures": Shapes((1, 3, 32, 32), (1, 3, 32, 32), (16, 3, 32, 32))})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "backbone.onnx"
    path.write_bytes(b"a network")
    return path


@pytest.fixture
def cached(model: Path) -> Path:
    folder = engine_folder(model, L4)
    folder.mkdir(parents=True)
    (folder / "TensorrtExecutionProvider_1_sm89.engine").touch()
    save_plan(folder, PICTURES)
    return model


def test_an_engine_lies_beside_its_model(model: Path):
    assert engine_folder(model, L4).parent == model.parent / "backbone.onnx.tensorrt"
    assert engine_folder(model, L4) == engine_folder(model, L4)


@pytest.mark.parametrize("what", ["gpu", "driver", "tensorrt", "onnxruntime"])
def test_another_machine_has_another_engine(model: Path, what: str):
    assert engine_folder(model, replace(L4, **{what: "other"})) != engine_folder(model, L4)


def test_another_model_has_another_engine(model: Path):
    before = engine_folder(model, L4)
    model.write_bytes(b"another network")
    assert engine_folder(model, L4) != before


def test_other_values_beside_a_graph_are_another_model(model: Path):
    before = engine_folder(model, L4)
    model.with_name("weights.safetensors").write_bytes(b"values")
    with_values = engine_folder(model, L4)
    model.with_name("weights.safetensors").write_bytes(b"others")
    assert len({before, with_values, engine_folder(model, L4)}) == 3


def test_a_stored_plan_gives_the_options_it_was_built_with(cached: Path):
    folder = engine_folder(cached, L4)
    assert find_engine(cached, L4) == PICTURES.options(folder)
    for plan in (replace(PICTURES, fp16=True), replace(PICTURES, int8=True)):
        save_plan(folder, plan)
        assert find_engine(cached, L4) == plan.options(folder) != PICTURES.options(folder)


def test_the_options_are_those_of_onnx_runtime(tmp_path: Path):
    plan = Plan({"x": Shapes((1, 1, 8), (1, 4, 8), (2, 9, 8)), "y": Shapes((1,), (2,), (3,))})
    assert plan.options(tmp_path) == {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(tmp_path),
        "trt_fp16_enable": "0",
        "trt_int8_enable": "0",
        "trt_profile_min_shapes": "x:1x1x8,y:1",
        "trt_profile_opt_shapes": "x:1x4x8,y:2",
        "trt_profile_max_shapes": "x:2x9x8,y:3",
    }


def test_without_a_gpu_or_a_complete_engine_there_is_none(cached: Path):
    assert find_engine(cached, None) is None
    assert find_engine(cached, replace(L4, driver="580")) is None
    folder = engine_folder(cached, L4)
    (folder / PLAN).rename(folder / "elsewhere")  # a build that was interrupted
    assert find_engine(cached, L4) is None
    (folder / "elsewhere").rename(folder / PLAN)
    next(folder.glob("*.engine")).unlink()
    assert find_engine(cached, L4) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    st.binary(max_size=30)
    | json_values.map(lambda value: json.dumps(value).encode())
    | json_values.map(
        lambda value: json.dumps(
            {"format": "vad-tensorrt-1", "inputs": value, "fp16": False, "int8": False}
        ).encode()
    )
)
def test_a_damaged_plan_is_no_engine_and_no_error(cached: Path, content: bytes):
    (engine_folder(cached, L4) / PLAN).write_bytes(content)
    assert find_engine(cached, L4) is None


def cuda(*, fails=""):
    """libcuda with one GPU."""

    def get(number, place):
        number._obj.value = place
        return int(fails == "cuDeviceGet")

    def name_of(name, size, number):
        assert (ctypes.sizeof(name), number.value) == (size, 0)
        name.value = b"NVIDIA L4"
        return 0

    def version_of(version):
        version._obj.value = 13000
        return 0

    return SimpleNamespace(
        cuInit=lambda _flags: int(fails == "cuInit"),
        cuDeviceGet=get,
        cuDeviceGetName=name_of,
        cuDriverGetVersion=version_of,
    )


def nvml():
    """libnvidia-ml."""

    def version_of(version, _size):
        version.value = b"570.86"
        return 0

    return SimpleNamespace(
        nvmlInit_v2=lambda: 0, nvmlSystemGetDriverVersion=version_of, nvmlShutdown=lambda: 0
    )


LIBRARIES = {
    "libcuda.so.1": cuda(),
    "libnvinfer.so.10": SimpleNamespace(getInferLibVersion=lambda: 101300),
    "libnvidia-ml.so.1": nvml(),
}


@pytest.fixture
def libraries(monkeypatch):
    def install(**changes):
        find_device.cache_clear()
        found = {**LIBRARIES, **changes}
        monkeypatch.setattr(engine_cache, "load_library", found.get)

    yield install
    find_device.cache_clear()


def test_the_gpu_is_known_by_name_driver_and_versions(libraries):
    libraries()
    assert find_device() == Device("NVIDIA L4", "570.86", "101300", ort.__version__)


def test_where_nobody_tells_the_driver_its_cuda_version_counts(libraries):
    libraries(**{"libnvidia-ml.so.1": None})
    assert find_device().driver == "CUDA 13000"


@pytest.mark.parametrize(
    "changes",
    [
        {"libcuda.so.1": None},
        {"libnvinfer.so.10": None},
        {"libcuda.so.1": cuda(fails="cuInit")},
        {"libcuda.so.1": cuda(fails="cuDeviceGet")},
    ],
)
def test_without_a_library_or_a_gpu_there_is_no_device(libraries, changes):
    libraries(**changes)
    assert find_device() is None


@pytest.fixture
def asked(monkeypatch):
    """The providers that sessions are asked for, on a machine with an L4."""
    found = []

    class Session:
        def get_providers(self):
            return [name if isinstance(name, str) else name[0] for name in found[-1]]

    def session_on(_path, providers, *, half=False):
        found.append(list(providers))
        return Session()

    runtime._advise_once.cache_clear()
    monkeypatch.setattr(runtime, "session_on", session_on)
    monkeypatch.setattr(runtime, "find_device", lambda: L4)
    present = (runtime.TENSORRT, runtime.CUDA, runtime.CPU)
    monkeypatch.setattr(runtime, "present_providers", lambda: present)
    return found


def test_a_network_runs_on_the_engine_that_was_built_for_it(cached: Path, asked):
    runtime.open_session(cached)
    options = PICTURES.options(engine_folder(cached, L4))
    assert asked == [[(runtime.TENSORRT, options), runtime.CUDA, runtime.CPU]]


def test_without_an_engine_none_is_built_on_the_hot_path(model: Path, asked, caplog):
    with caplog.at_level(logging.INFO):
        runtime.open_session(model)
        runtime.open_session(model)
    assert asked == [[runtime.CUDA, runtime.CPU]] * 2
    advice = [record.getMessage() for record in caplog.records if "TensorRT is here" in record.msg]
    assert "".join(advice).count(f"vad-export tensorrt {model}") == 1


def test_one_provider_may_be_asked_for_alone(cached: Path, asked):
    runtime.open_session(cached, only=runtime.CPU)
    runtime.open_session(cached, only=runtime.CUDA)
    assert asked == [[runtime.CPU], [runtime.CUDA, runtime.CPU]]


def test_what_is_missing_is_said(monkeypatch):
    monkeypatch.setattr(runtime, "_loads", lambda library: library == "libcuda.so.1")
    assert runtime.lacking(runtime.CPU) is None
    monkeypatch.setattr(runtime.ort, "get_available_providers", lambda: [runtime.TENSORRT])
    assert runtime.lacking(runtime.TENSORRT) == "no libnvinfer.so.10"
    assert "built without" in runtime.lacking(runtime.CUDA)
