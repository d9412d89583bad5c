import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import save_file

from edge.errors import ModelError
from export.imitate.network import described, make_imitator, to_graph

NAME = "test_efficientnet"  # the smallest of its kind
SIZE_PX = 32
MEAN, SPREAD = np.float32([5, 6, 7]), np.float32([0.5, 1, 2])


def make(name=NAME, *, pretrained=None, size_px=SIZE_PX, seed=0):
    return make_imitator(
        name, pretrained=pretrained, size_px=size_px, mean=MEAN, spread=SPREAD, seed=seed
    )


@pytest.fixture(scope="module")
def lived():
    """A network whose batch normalisation has seen something."""
    imitator = make().train()
    with torch.no_grad():
        for seed in range(3):
            imitator(pictures(4, seed))
    return imitator


def pictures(count, seed=0):
    return torch.randn(count, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(seed))


def same(a, b):
    states = [network.state_dict() for network in (a, b)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_equal_seeds_make_equal_networks_and_disturb_no_other_draw():
    state = torch.get_rng_state()
    assert same(make(), make())
    assert not same(make(), make(seed=1))
    assert torch.equal(state, torch.get_rng_state())


def test_it_begins_near_the_teachers_mean():
    with torch.inference_mode():
        found = make().eval()(pictures(8)).numpy()
    assert np.abs((found - MEAN) / SPREAD).max() < 3


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_graph_says_what_the_network_says_of_any_number(lived, count):
    session = ort.InferenceSession(to_graph(lived, SIZE_PX), providers=["CPUExecutionProvider"])
    (found,) = session.run(["embeddings"], {"pictures": pictures(count).numpy()})
    with torch.inference_mode():
        wanted = lived.eval()(pictures(count)).numpy()
    assert np.abs(found - wanted).max() < 1e-4
    (alone,) = session.run(["embeddings"], {"pictures": pictures(count).numpy()[:1]})
    assert np.abs(found[:1] - alone).max() < 1e-4  # no batch normalisation over its company


def test_exporting_leaves_the_network_as_it_was(lived):
    before = {name: tensor.clone() for name, tensor in lived.state_dict().items()}
    lived.train()
    to_graph(lived, SIZE_PX)
    assert lived.training
    assert all(torch.equal(before[name], tensor) for name, tensor in lived.state_dict().items())


def test_it_knows_the_colours_of_its_kind():
    assert described(make())["mean"] == (0.485, 0.456, 0.406)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_it_begins_with_the_weights_of_a_file_without_the_classifier(tmp_path, suffix):
    weights = {**make(seed=7).backbone.state_dict(), "classifier.weight": torch.ones(10, 4)}
    path = tmp_path / f"w{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    assert same(make(pretrained=str(path)).backbone, make(seed=7).backbone)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_that_holds_no_such_weights_is_refused(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="no weights of this network"):
        make(pretrained=str(path))


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match="no weights of this network"):
        make(pretrained=str(path))


@pytest.mark.parametrize("name", ["nonsense", f"{NAME}.nonsense"])
def test_a_network_that_does_not_exist_is_refused(name):
    with pytest.raises(ModelError, match=f"--student {name}.*list_models"):
        make(name)


def test_a_tag_that_does_not_exist_is_refused():
    with pytest.raises(ModelError, match="nonsense"):
        make(pretrained="nonsense")


def test_an_input_that_it_cannot_take_is_refused():
    with pytest.raises(ModelError, match="takes no pictures of 40 px"):
        make("vit_tiny_patch16_224", size_px=40)
