import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper

from edge.errors import ModelError, VadError
from edge.model import runtime
from edge.model.artifact import load_artifact
from edge.model.backbone import AT_ONCE
from edge.model.engine_cache import (
    STANDALONE,
    TENSORRT,
    Device,
    engine_folder,
    find_device,
    find_engine,
)
from export.cli import main
from export.engines import build as building
from export.engines.build import build, check_machine
from export.engines.networks import jobs_of
from export.proof.parity import trial_of
from tests.export.students import WIDTH, command, training_folder
from tests.fakes.backbones import tiny_backbone

L4 = Device("NVIDIA L4", "570.86", "101300", "1.31.1")


@pytest.fixture
def eyes(tmp_path):
    return tiny_backbone(tmp_path / "eyes", width=WIDTH)


@pytest.fixture
def exported(tmp_path, eyes):
    training = training_folder(tmp_path / "training", window=40)
    told = ["--out", str(tmp_path / "student"), "--backbone", str(eyes.folder)]
    assert main(["onnx", str(training), *told]) == 0
    return tmp_path / "student"


def detector(path, shape, *, quantised=False, kind=TensorProto.FLOAT):
    """Something that takes pictures."""
    nodes = [helper.make_node("ReduceMean", ["images"], ["out"], axes=[2, 3], keepdims=0)]
    initialisers = []
    if quantised:
        initialisers = [helper.make_tensor("scale", TensorProto.FLOAT, [], [0.01])]
        nodes = [
            helper.make_node("QuantizeLinear", ["images", "scale"], ["small"]),
            helper.make_node("DequantizeLinear", ["small", "scale"], ["large"]),
            helper.make_node("ReduceMean", ["large"], ["out"], axes=[2, 3], keepdims=0),
        ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("out", kind, [shape[0], 3])],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_students_engines_take_all_that_a_host_sends(exported):
    student, backbone = jobs_of(exported)
    shapes = student.inputs["x"]
    for x in trial_of(load_artifact(exported)).x:
        assert all(low <= size for low, size in zip(shapes.least, x.shape, strict=True))
        assert all(size <= most for size, most in zip(x.shape, shapes.most, strict=True))
    assert shapes.usual == (1, 40, WIDTH)
    assert backbone.model == exported / "backbone" / "backbone.onnx"
    assert backbone.inputs["pictures"].most == (AT_ONCE, 3, 32, 32)


def test_a_video_backbone_takes_clips(tmp_path):
    folder = tiny_backbone(tmp_path / "video", width=WIDTH, frames=16).folder
    (job,) = jobs_of(folder)
    assert job.inputs["pictures"].least == (1, 3, 16, 32, 32)


def test_a_file_of_a_folder_stands_for_the_folder(eyes):
    assert jobs_of(eyes.folder / "backbone.onnx") == jobs_of(eyes.folder)


@pytest.mark.parametrize(
    ("shape", "least", "usual", "most"),
    [
        ([1, 3, 64, 96], (1, 3, 64, 96), (1, 3, 64, 96), (1, 3, 64, 96)),
        (["n", 3, 64, 96], (1, 3, 64, 96), (1, 3, 64, 96), (8, 3, 64, 96)),
        (["n", 3, "h", "w"], (1, 3, 32, 32), (1, 3, 640, 640), (8, 3, 640, 640)),
    ],
)
def test_a_detector_keeps_its_fixed_sizes(tmp_path, shape, least, usual, most):
    (job,) = jobs_of(detector(tmp_path / "d.onnx", shape))
    shapes = job.inputs["images"]
    assert (shapes.least, shapes.usual, shapes.most) == (least, usual, most)


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        ("no libcuda.so.1, no libnvinfer.so.10", "libcuda.so.1.*tensorrt-cu13>=10,<11"),
        ("no libnvinfer.so.10", "no libnvinfer.so.10: pip install 'tensorrt-cu13>=10,<11'"),
        ("this onnxruntime was built without it", "install onnxruntime-gpu"),
        (None, "no CUDA GPU answers"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(monkeypatch, lacks, says):
    monkeypatch.setattr(building, "lacking", lambda provider: lacks)
    monkeypatch.setattr(building, "find_device", lambda: None)
    with pytest.raises(VadError, match=says):
        check_machine()


def test_without_a_gpu_the_command_fails_and_says_why(eyes, capsys, monkeypatch):
    monkeypatch.setattr(building, "lacking", lambda provider: "no libcuda.so.1")
    assert "no libcuda.so.1" in command(capsys, "tensorrt", eyes.folder, code=1)


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_what_is_no_network_is_refused_first(tmp_path, capsys, content):
    path = tmp_path / "detector.onnx"
    if content is not None:
        path.write_bytes(content)
    assert "detector.onnx" in command(capsys, "tensorrt", path, code=2)


class TensorRtSession:
    """Runs on the CPU, and leaves the file that an engine would be; ``off`` is what it adds."""

    def __init__(self, path, providers, *, off=0.0, started=True, engine=True):
        self._real = runtime.open_session(path, only=runtime.CPU)
        self._off, self._started = off, started
        (_, options), *_ = providers
        if engine:
            (Path(options["trt_engine_cache_path"]) / "TensorrtExecutionProvider.engine").touch()

    def get_providers(self):
        return [TENSORRT, runtime.CPU] if self._started else [runtime.CPU]

    def run(self, names, feed):
        return [output + self._off for output in self._real.run(names, feed)]


@pytest.fixture
def gpu(monkeypatch):
    """A machine that seems to have one; without the ``tensorrt`` package."""

    def install(**options):
        monkeypatch.setattr(
            building, "session_on", lambda path, told: TensorRtSession(path, told, **options)
        )
        monkeypatch.setattr(building.importlib.util, "find_spec", lambda name: None)

    return install


def test_an_engine_that_computes_the_same_is_found_afterwards(eyes, gpu):
    gpu()
    (job,) = jobs_of(eyes.folder)
    built = build(job, L4, fp16=True)
    assert built.least_cosine == pytest.approx(1)
    assert not built.standalone
    options = find_engine(job.model, L4)
    assert options["trt_fp16_enable"] == "1"
    assert options["trt_int8_enable"] == "0"
    assert options["trt_profile_max_shapes"] == f"pictures:{AT_ONCE}x3x32x32"
    assert build(job, L4, fp16=False).folder == built.folder  # built anew in its place
    assert find_engine(job.model, L4)["trt_fp16_enable"] == "0"


def test_a_student_is_never_built_in_16_bit_floats(exported, gpu):
    gpu()
    for job in jobs_of(exported):
        build(job, L4, fp16=True)
    halves = [find_engine(job.model, L4)["trt_fp16_enable"] for job in jobs_of(exported)]
    assert halves == ["0", "1"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"off": 100.0}, "meet the CPU's to a cosine"),
        ({"off": np.nan}, "meet the CPU's to a cosine"),
        ({"started": False}, "did not start"),
        ({"engine": False}, "took no part"),
    ],
)
def test_an_engine_that_is_of_no_use_is_not_found(eyes, gpu, fault, says):
    gpu(**fault)
    (job,) = jobs_of(eyes.folder)
    with pytest.raises(ModelError, match=says):
        build(job, L4, fp16=False)
    assert find_engine(job.model, L4) is None


def test_a_graph_in_8_bit_numbers_is_built_as_such(tmp_path, gpu):
    gpu()
    (job,) = jobs_of(detector(tmp_path / "d.onnx", [1, 3, 64, 96], quantised=True))
    build(job, L4, fp16=False)
    assert find_engine(job.model, L4)["trt_int8_enable"] == "1"


class Package:
    """The ``tensorrt`` package as far as it is used; keeps what it was told."""

    Logger = type("Logger", (), {"WARNING": 2, "__init__": lambda self, level: None})
    BuilderFlag = SimpleNamespace(FP16="fp16", INT8="int8")

    def __init__(self, *, parses=True, engine=b"engine"):
        self.parses, self.engine = parses, engine
        self.profile, self.flags, self.parsed = {}, [], ""

    def Builder(self, _logger):  # noqa: N802  # NVIDIA's name
        def set_shape(name, *shapes):
            self.profile[name] = shapes

        config = SimpleNamespace(
            add_optimization_profile=lambda profile: None, set_flag=self.flags.append
        )
        return SimpleNamespace(
            create_network=lambda flags: object(),
            create_optimization_profile=lambda: SimpleNamespace(set_shape=set_shape),
            create_builder_config=lambda: config,
            build_serialized_network=lambda network, config: self.engine,
        )

    def OnnxParser(self, _network, _logger):  # noqa: N802  # NVIDIA's name
        def parse(path):
            self.parsed = path
            return self.parses

        error = SimpleNamespace(desc=lambda: "unknown operator Foo")
        return SimpleNamespace(parse_from_file=parse, num_errors=1, get_error=lambda number: error)


@pytest.fixture
def package(monkeypatch, gpu):
    def install(found):
        gpu()
        monkeypatch.setattr(building.importlib.util, "find_spec", lambda name: name)
        monkeypatch.setitem(sys.modules, "tensorrt", found)
        return found

    return install


def test_the_tensorrt_package_builds_a_file_of_its_own(eyes, package):
    trt = package(Package())
    (job,) = jobs_of(eyes.folder)
    built = build(job, L4, fp16=True)
    assert built.standalone
    assert (engine_folder(job.model, L4) / STANDALONE).read_bytes() == b"engine"
    assert trt.parsed == str(job.model)
    assert trt.profile == {"pictures": ((1, 3, 32, 32), (1, 3, 32, 32), (AT_ONCE, 3, 32, 32))}
    assert trt.flags == ["fp16"]


@pytest.mark.parametrize(
    ("trt", "says"),
    [(Package(parses=False), "unknown operator Foo"), (Package(engine=None), "built nothing")],
)
def test_what_tensorrt_does_not_take_is_said(eyes, package, trt, says):
    package(trt)
    (job,) = jobs_of(eyes.folder)
    with pytest.raises(ModelError, match=says):
        build(job, L4, fp16=False)
    assert find_engine(job.model, L4) is None


def test_engines_are_built_without_torch():
    code = (
        "import sys, export.cli, export.commands.tensorrt;"
        "print([n for n in ('torch', 'sklearn', 'ultralytics') if n in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(find_device() is None, reason="no CUDA GPU: TensorRT engine not built")
@pytest.mark.timeout(900)
def test_real_engines_score_the_same(exported, capsys):
    said = command(capsys, "tensorrt", exported)
    assert len(said["engines"]) == 2
    verified = command(capsys, "verify", exported)
    assert verified["providers"][TENSORRT]["least_cosine"] > 0.999
    manifest = json.loads((exported / "manifest.json").read_bytes())
    assert TENSORRT not in manifest["unverified"]
