import json

import numpy as np
import open_clip
import pytest
import torch

from edge.model.words import load_words, normalised
from export.backbones.clip import load_both
from export.backbones.weights import Random
from export.cli import main
from export.words.assemble import GOLDEN_TEXTS
from export.words.clip import TEMPLATES
from export.words.fusion import make_fusion
from export.words.fusion_file import Facts, Trained, save_fusion
from tests.export.backbones.tiny import CLIP, add_tiny_clip, offline

WIDTH, FRAMES = 16, 9
ACTIONS = ("walking", "riding a bike", "走る")

__all__ = ["offline"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with an image tower of random weights of seed 3."""
    root = tmp_path_factory.mktemp("clip")
    add_tiny_clip(root)
    assert main(["backbone", CLIP, "--random", "--seed", "3", "--out", str(root / "image")]) == 0
    (root / "actions").write_text("\n".join(ACTIONS), encoding="utf-8")
    return root


def call(root, out, *more, seed=3):
    weights = ["--random", "--seed", str(seed)]
    return main(
        [
            *("words", "--backbone", str(root / "image"), "--model", CLIP, *weights),
            *("--out", str(out), *map(str, more)),
        ]
    )


def fusion_file(root, path, *, backbone=None, alpha=0.6):
    """A temporal part that is not as it was made."""
    version = load_words(root / "plain").backbone.version if backbone is None else backbone
    fusion = make_fusion(WIDTH, frames=FRAMES)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in fusion.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    tubes = np.random.default_rng(0).normal(size=(2, FRAMES, WIDTH)).astype(np.float32)
    facts = Facts(version, WIDTH, FRAMES, 2, 4, alpha, "toys")
    trained = Trained(facts, fusion, normalised(tubes))
    save_fusion(path, trained)
    return trained


@pytest.fixture(scope="module", autouse=True)
def plain(root):
    """The word model without anything that is optional."""
    assert call(root, root / "plain", "--actions", root / "actions") == 0
    return load_words(root / "plain")


def test_prompts_are_the_mean_over_the_templates(plain):
    both = load_both(CLIP, Random(3))
    tokenize = open_clip.get_tokenizer(CLIP)
    for action, found in zip(ACTIONS, plain.prompts.embeddings, strict=True):
        with torch.inference_mode():
            ways = both.model.encode_text(tokenize([each.format(action) for each in TEMPLATES]))
        wanted = torch.nn.functional.normalize(ways, dim=1).mean(dim=0)
        np.testing.assert_allclose(found, (wanted / wanted.norm()).numpy(), atol=1e-5)
    assert plain.prompts.prompts == ACTIONS
    assert plain.prompts.tower_sha256 == both.tower
    assert plain.frames == FRAMES
    assert not plain.reads


def test_a_text_tower_reads_what_torch_reads(root, tmp_path, offline):
    assert call(root, tmp_path / "out", "--actions", root / "actions", "--text-tower") == 0
    model = load_words(tmp_path / "out")
    texts = [*GOLDEN_TEXTS, "somebody on a bike!", "x" * 500]
    both = load_both(CLIP, Random(3))
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(CLIP)(texts)
        wanted = normalised(both.model.encode_text(tokens).numpy())
    np.testing.assert_allclose(model.read(texts), wanted, atol=1e-4)
    assert not offline


def test_a_temporal_part_is_taken_along(root, tmp_path, capsys):
    trained = fusion_file(root, tmp_path / "tfc")
    out = tmp_path / "out"
    options = ("--actions", root / "actions", "--tfc", tmp_path / "tfc", "--format", "json")
    assert call(root, out, *options) == 0
    told, model = json.loads(capsys.readouterr().out), load_words(out)
    assert told["tfc"] == "toys"
    assert told["version"] == model.version
    assert model.spec.alpha == 0.6
    np.testing.assert_allclose(model.act(trained.tubes), trained.features(), atol=1e-5)


def test_a_temporal_part_of_another_image_tower_is_refused(root, tmp_path, capsys):
    fusion_file(root, tmp_path / "tfc", backbone="another")
    assert call(root, tmp_path / "out", "--tfc", tmp_path / "tfc") == 2
    assert "image tower another" in capsys.readouterr().err


def test_an_image_tower_of_other_weights_is_refused(root, tmp_path, capsys):
    assert call(root, tmp_path / "out", "--actions", root / "actions", seed=4) == 2
    assert "other weights" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_is_there_already_is_not_overwritten(root, capsys):
    assert call(root, root / "plain") == 2
    assert "there already" in capsys.readouterr().err
