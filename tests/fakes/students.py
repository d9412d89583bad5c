"""Small students of every head, their graphs written by hand: no torch."""

import numpy as np
from onnx import TensorProto, helper

from edge.analysis import Extractor
from edge.features import scene_segment
from edge.features.embedding import embedding_spec
from edge.model.artifact import OPSET, Artifact, Golden
from edge.model.session import StudentSession
from edge.model.spec import PENULTIMATE, StudentSpec
from edge.scoring.footage import NormalFootage
from edge.scoring.learn import learn_camera
from edge.scoring.model import ScoringOptions
from edge.scoring.student import INPUTS, StudentTerm, joined
from tests.fakes.percepts import percept
from tests.fakes.sources import HEIGHT, WIDTH


def artifact(head="density", *, strength=0.1, seed=0, eyes=None, **changes) -> Artifact:
    """``density``: strength * |x|² - 50; ``clap``: how large x is; ``temporal`` and ``dakd``: how
    much larger than the segment before it."""
    groups = (embedding_spec(eyes.backbone, eyes.look),) if eyes else INPUTS[head]
    inputs = len(joined(groups))
    spec = StudentSpec(head, inputs, window=2 if head in ("temporal", "dakd") else 1)
    weights = {
        "scale": np.full((inputs, 1), strength, np.float32),
        "features": np.random.default_rng(seed)
        .normal(size=(inputs, PENULTIMATE))
        .astype(np.float32),
        "offset": np.float32([-50.0 if head == "density" else -3.0]),
    }
    graph = _graph(head, weights)
    x = np.random.default_rng(1).normal(size=(1, 4, inputs)).astype(np.float32)
    golden = Golden(x, StudentSession(graph, weights).scores(x))
    versions = tuple(group.spec_version for group in groups)
    fields = dict(
        spec=spec,
        spec_versions=versions,
        graph=graph,
        weights=weights,
        golden=golden,
        provenance={"round": 1},
        eyes=eyes,
    )
    return Artifact(**(fields | changes))


def student(head="density", **options) -> StudentTerm:
    return StudentTerm.of(artifact(head, **options))


def measured(extractor, seen):
    """The groups of a frame that a camera is scored by, and its scene segment."""
    found = extractor.measure(seen)
    scenes = [group for group in found.described if group.spec in scene_segment.SPECS]
    return (*found.scored, *scenes)


def walkers(frames, *, start=0, speed=1.0):
    """What is measured of people who walk past, frame by frame, all groups of it."""
    extractor = Extractor(describing=True)
    footage = NormalFootage()
    for index in range(start, start + frames):
        seen = percept(index, speed=speed)
        groups = measured(extractor, seen)
        footage.add(groups, time_s=seen.frame.time_s, width=WIDTH, height=HEIGHT)
    return footage


def learnt(head="density", *, frames=900, created_s=1e9, alarms_per_day=2.0, **options):
    """A camera ``door`` that has learnt walkers, with a student of this head or None."""
    return learn_camera(
        walkers(frames),
        camera="door",
        alarms_per_day=alarms_per_day,
        created_s=created_s,
        options=ScoringOptions(size=50),
        student=head and student(head, **options),
    )


def _graph(head, weights) -> bytes:
    nodes = {
        "density": [helper.make_node("Mul", ["x", "x"], ["size"])],
        "clap": [helper.make_node("Abs", ["x"], ["size"])],
        "temporal": [
            helper.make_node("Slice", ["x", "zero", "one", "one"], ["first"]),
            helper.make_node("Slice", ["x", "zero", "minus", "one"], ["most"]),
            helper.make_node("Concat", ["first", "most"], ["before"], axis=1),
            helper.make_node("Abs", ["x"], ["now"]),
            helper.make_node("Abs", ["before"], ["then"]),
            helper.make_node("Sub", ["now", "then"], ["size"]),
        ],
    }["temporal" if head == "dakd" else head]
    nodes = [
        *(
            _constant(name, at)
            for name, at in {"zero": 0, "one": 1, "minus": -1, "last": 2}.items()
        ),
        *nodes,
        helper.make_node("MatMul", ["size", "scale"], ["sum"]),
        helper.make_node("Add", ["sum", "offset"], ["logit"]),
        helper.make_node("Squeeze", ["logit", "last"], ["flat"]),
        helper.make_node("Identity" if head == "density" else "Sigmoid", ["flat"], ["scores"]),
        helper.make_node("MatMul", ["x", "features"], ["penultimate"]),
    ]
    inputs = weights["scale"].shape[0]
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", "L", inputs])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", "L"]),
            helper.make_tensor_value_info(
                "penultimate", TensorProto.FLOAT, ["B", "L", PENULTIMATE]
            ),
        ],
        [_external(name, array) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return model.SerializeToString()


def _constant(name, value):
    tensor = helper.make_tensor(name, TensorProto.INT64, [1], [value])
    return helper.make_node("Constant", [], [name], value=tensor)


def _external(name, array) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
    tensor.data_location = TensorProto.EXTERNAL
    where = {"location": "weights.safetensors", "offset": 0, "length": array.nbytes}
    for key, value in where.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
