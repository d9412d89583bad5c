"""A word model of colours, its graphs written by hand: crops and words of a colour lie together."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from edge.model import tokens
from edge.model.backbone import GoldenClips, save_backbone
from edge.model.text import TextEmbeddings
from edge.model.words import GoldenWords, WordModel, WordSpec, normalised, save_words
from tests.fakes.backbones import OPSET, tiny_graph, tiny_spec

COLOURS = {  # RGB
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "grey": (128, 128, 128),
}
PROMPTS = ("something blue", "something green", "something yellow", "something grey")
WIDTH = 4  # three colours, and what all have in common
COMMON = 0.4
LONGEST = 24  # words of a sentence


def embedded(colour) -> np.ndarray:
    """What the image tower makes of pictures in one colour, (WIDTH,)."""
    return np.array([*(np.array(COLOURS[colour]) / 127.5 - 1), COMMON], np.float32)


def colour_words(folder, *, tower=True) -> WordModel:
    """Write one; the same model without a text tower has the same version."""
    spec = tiny_spec(width=WIDTH, size_px=32)
    matrix = np.eye(3, WIDTH, dtype=np.float32)
    offset = np.array([0, 0, 0, COMMON], np.float32)
    clips = np.random.default_rng(0).integers(0, 256, (3, 1, 32, 32, 3), np.uint8)
    prepared = np.stack([[spec.prepare(picture) for picture in clip] for clip in clips])
    backbone = save_backbone(
        folder.with_name(f"{folder.name}-tower"),
        spec,
        tiny_graph(spec, matrix, offset),
        GoldenClips(clips, (prepared.mean(axis=(1, 3, 4)) @ matrix + offset).astype(np.float32)),
        licences=["Apache-2.0 (tests)"],
        provenance={},
    )
    prompts = np.stack([embedded(prompt.split()[1]) for prompt in PROMPTS])
    tubes = np.repeat(prompts[:, None], 9, axis=1)
    return save_words(
        folder,
        WordSpec("colours", WIDTH),
        backbone=backbone,
        prompts=TextEmbeddings(PROMPTS, normalised(prompts), "colours", "0" * 64),
        golden=GoldenWords(tubes, normalised(prompts)),
        text={tokens.GRAPH: text_graph(), tokens.TOKENIZER: tokenizer()} if tower else None,
        licences=["Apache-2.0 (tests)"],
        provenance={},
    )


def text_graph() -> bytes:
    """The sum of its words, of which only colours mean anything."""
    table = np.zeros((len(COLOURS) + 1, WIDTH), np.float32)
    table[1:] = [embedded(colour) for colour in COLOURS]
    nodes = [
        helper.make_node("Gather", ["table", tokens.INPUT], ["words"]),
        helper.make_node("ReduceSum", ["words", "axes"], ["said"], keepdims=0),
        helper.make_node("Add", ["said", "common"], [tokens.OUTPUT]),
    ]
    common = np.array([0, 0, 0, 1e-3], np.float32)  # no sentence is without a direction
    constants = {"table": table, "axes": np.array([1]), "common": common}
    graph = helper.make_graph(
        nodes,
        "reads",
        [helper.make_tensor_value_info(tokens.INPUT, TensorProto.INT64, ["N", "L"])],
        [helper.make_tensor_value_info(tokens.OUTPUT, TensorProto.FLOAT, ["N", WIDTH])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return model.SerializeToString()


def tokenizer() -> bytes:
    """Word by word; all but colours are the same."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = {"?": 0} | {colour: number for number, colour in enumerate(COLOURS, 1)}
    made = Tokenizer(models.WordLevel(words, unk_token="?"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_padding(length=LONGEST, pad_id=0, pad_token="?")
    made.enable_truncation(LONGEST)
    return made.to_str().encode()
