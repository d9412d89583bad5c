import json

import numpy as np
import pytest
import torch

from edge.model.words import load_words
from export.cli import main
from export.words.tiny import film
from export.words.tiny.acts import ACTS
from export.words.tiny.captions import title

QUICK = ["--streets", "1", "--steps", "3", "--batch", "16", "--tfc-steps", "2"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model that has hardly learnt, and what was told of it."""
    root = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film, "STREET_S", 4.0)
        patch.setattr("export.commands.words_tiny.HELD_OUT_STREETS", 1)
        patch.setattr("export.commands.words_tiny.answer", lambda told, **_: tell.update(told))
        tell: dict[str, object] = {}
        assert main(["words-tiny", "--out", str(root / "a"), *QUICK]) == 0
        first = dict(tell)
        work = ["--work", str(root / "a.work"), "--format", "json"]
        assert main(["words-tiny", "--out", str(root / "b"), *work, *QUICK]) == 0
    return root, first, tell


def test_the_folder_is_complete(made):
    root, told, _ = made
    model = load_words(root / "a")
    assert model.version == told["version"]
    assert model.prompts.prompts == tuple(title(act) for act in ACTS)
    assert model.read(["a cyclist", "🚲", ""]).shape == (3, model.width)
    manifest = json.loads((root / "a" / "manifest.json").read_bytes())
    assert manifest["provenance"]["trained_on"] == "generated streets, scene seeds 9000 to 9000"
    assert {"tfc.onnx", "text/text.onnx"} <= manifest["files"].keys()


def test_figures_are_of_both_sources_of_boxes(made):
    _, told, _ = made
    for source in ("true_boxes", "motion_boxes"):
        found = told[source]
        assert 0 <= found["accuracy_tfc"] <= 1
        rows = sum(sum(row) for row in found["confusion"].values())
        assert rows == found["tubes"]
    json.dumps(told, allow_nan=False)


def test_what_is_in_the_work_folder_is_used_again_and_gives_the_same(made):
    root, first, second = made
    assert first["version"] == second["version"]
    a, b = load_words(root / "a"), load_words(root / "b")
    np.testing.assert_array_equal(a.prompts.embeddings, b.prompts.embeddings)
    assert torch.get_num_threads() == 1
