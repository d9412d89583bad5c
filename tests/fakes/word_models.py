"""Small word models with known answers, their graphs written by hand: no torch."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from edge.model import tokens
from edge.model.text import TextEmbeddings
from edge.model.words import INPUT, OUTPUT, GoldenWords, WordSpec, normalised, save_words
from tests.fakes.backbones import OPSET, tiny_backbone

WORDS = ("[pad]", "[unknown]", "a", "person", "walking", "running", "bicycle", "car")
PROMPTS = ("a person walking", "a person running", "a car")
LENGTH = 6  # tokens of a text


def tiny_words(folder, *, width=8, frames=3, tfc=True, tower=True, seed=0, **changes):
    """F = normalise(alpha * newest + (1 - alpha) * middle); texts are the mean of their words."""
    spec = WordSpec("tiny", width, frames=frames)
    backbone = tiny_backbone(folder.with_name(f"{folder.name}-backbone"), width=width, seed=seed)
    rng = np.random.default_rng(seed)
    tubes = normalised(rng.normal(size=(2, frames, width)).astype(np.float32))
    table = rng.normal(size=(len(WORDS), width)).astype(np.float32)
    texts = ("a person", "")
    parts = dict(
        backbone=backbone,
        prompts=TextEmbeddings(PROMPTS, read(table, PROMPTS), "tiny", "0" * 64),
        golden=GoldenWords(tubes, features(spec, tubes, tfc=tfc), texts, read(table, texts)),
        tfc=newest_graph(frames, width) if tfc else None,
        text=tower_files(table) if tower else None,
        licences=["Apache-2.0 (tests)"],
        provenance={"seed": seed},
    )
    return save_words(folder, spec, **(parts | changes))


def features(spec, tubes, *, tfc=True):
    """What a tiny model must say of L2-normalised tubes."""
    fused = tubes[:, -1] if tfc else tubes.mean(axis=1)
    middle = tubes[:, spec.frames // 2]
    return normalised(spec.alpha * normalised(fused) + (1 - spec.alpha) * middle)


def read(table, texts):
    """What a tiny model must read, (T, d)."""
    rows = [tokenizer().encode(text).ids for text in texts]
    return normalised(np.stack([table[row].mean(axis=0) for row in rows]))


def tokenizer() -> Tokenizer:
    """Whole words, padded to LENGTH."""
    made = Tokenizer(models.WordLevel({w: k for k, w in enumerate(WORDS)}, unk_token="[unknown]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_truncation(LENGTH)
    made.enable_padding(length=LENGTH, pad_token="[pad]")
    return made


def tower_files(table):
    """The files of a text tower."""
    return {tokens.GRAPH: tower_graph(table), tokens.TOKENIZER: tokenizer().to_str().encode()}


def newest_graph(frames, width) -> bytes:
    """(N, n, d) → (N, d): the newest."""
    nodes = [helper.make_node("Gather", [INPUT, "last"], [OUTPUT], axis=1)]
    return _model(
        nodes,
        (INPUT, TensorProto.FLOAT, ["N", frames, width]),
        (OUTPUT, TensorProto.FLOAT, ["N", width]),
        {"last": np.array(frames - 1)},
    )


def tower_graph(table) -> bytes:
    """(N, L) → (N, d): the mean of the words' rows."""
    nodes = [
        helper.make_node("Gather", ["table", tokens.INPUT], ["words"], axis=0),
        helper.make_node("ReduceMean", ["words"], [tokens.OUTPUT], axes=[1], keepdims=0),
    ]
    return _model(
        nodes,
        (tokens.INPUT, TensorProto.INT64, ["N", LENGTH]),
        (tokens.OUTPUT, TensorProto.FLOAT, ["N", table.shape[1]]),
        {"table": table},
    )


def _model(nodes, given, gives, constants) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*given)],
        [helper.make_tensor_value_info(*gives)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return model.SerializeToString()
