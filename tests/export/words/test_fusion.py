import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.model.words import INPUT, OUTPUT
from export.words.fusion import make_fusion
from export.words.fusion_file import Facts, Trained, load_fusion, save_fusion
from export.words.graph import fusion_graph

FACTS = Facts("0" * 12, 16, 5, 2, 4, 0.7, "2 tubes of 2 actions, seed 0")


def tubes(count, seed=0):
    drawn = torch.randn(count, 5, 16, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def moved(seed=1):
    """One whose parts all count."""
    fusion = make_fusion(16, frames=5, seed=seed)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for parameter in fusion.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return fusion.eval()


def test_a_new_one_is_the_mean():
    given_tubes = tubes(3)
    found = make_fusion(16, frames=5)(given_tubes)
    torch.testing.assert_close(found, given_tubes.mean(dim=1))


def test_equal_seeds_give_equal_weights_and_leave_others_luck_alone():
    torch.manual_seed(5)
    first, drawn = make_fusion(16, seed=3), torch.rand(1)
    torch.manual_seed(5)
    second, again = make_fusion(16, seed=3), torch.rand(1)
    torch.testing.assert_close(first.position, second.position)
    torch.testing.assert_close(drawn, again)


@pytest.fixture(scope="module")
def exported():
    fusion = moved()
    return fusion, ort.InferenceSession(fusion_graph(fusion), providers=["CPUExecutionProvider"])


@given(count=st.integers(1, 7), seed=st.integers(0, 99))
def test_the_graph_says_what_torch_says_for_any_number_of_tubes(exported, count, seed):
    fusion, session = exported
    given_tubes = tubes(count, seed)
    (found,) = session.run([OUTPUT], {INPUT: given_tubes.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(found, fusion(given_tubes).numpy(), atol=1e-5)


def test_it_tells_an_order_from_its_reverse():
    fusion, given_tubes = moved(), tubes(2)
    with torch.inference_mode():
        assert not torch.allclose(fusion(given_tubes), fusion(given_tubes.flip(1)), atol=1e-4)


def test_a_file_keeps_everything(tmp_path):
    trained = Trained(FACTS, moved(), tubes(2).numpy())
    save_fusion(tmp_path / "tfc", trained)
    found = load_fusion(tmp_path / "tfc")
    assert found.facts == FACTS
    np.testing.assert_array_equal(found.features(), trained.features())
    assert found.graph() == trained.graph()


@pytest.mark.parametrize("content", [b"", b"\0" * 100, None])
def test_hostile_files_are_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "tfc").write_bytes(content)
    with pytest.raises(ModelError, match="tfc"):
        load_fusion(tmp_path / "tfc")


def test_weights_of_other_facts_are_refused(tmp_path):
    other = Facts("0" * 12, 16, 5, 3, 4, 0.7, "")
    save_fusion(tmp_path / "tfc", Trained(other, moved(), tubes(2).numpy()))
    with pytest.raises(ModelError, match="temporal part"):
        load_fusion(tmp_path / "tfc")
