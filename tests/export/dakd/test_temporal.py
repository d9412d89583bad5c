import numpy as np
import pytest

torch = pytest.importorskip("torch")
temporal = pytest.importorskip("export.dakd.temporal")
TEMPORAL = temporal.TEMPORAL
WIDTH, LENGTH = 8, 6

every_network = pytest.mark.parametrize("name", list(TEMPORAL))


def views(backbones: int = 3):
    rng = np.random.default_rng(0)
    return [
        torch.from_numpy(rng.standard_normal((2, LENGTH, WIDTH)).astype(np.float32))
        for _ in range(backbones)
    ]


@every_network
@pytest.mark.parametrize("real", [1, 3, LENGTH])
def test_padding_changes_nothing(name: str, real: int):
    torch.manual_seed(0)
    network, seen = TEMPORAL[name](WIDTH, 2, 3).eval(), views()
    expected = network([view[:, :real] for view in seen])
    assert expected.shape == (2, real, network.width_out)
    counted = torch.zeros(2, LENGTH)
    counted[:, :real] = 1
    for view in seen:
        view[:, real:] = 100.0
    assert torch.allclose(network(seen, counted)[:, :real], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["multihead", "disentangled"])
def test_attention_that_says_nothing_leaves_a_segment_its_own_value(name: str):
    torch.manual_seed(0)
    network, seen = TEMPORAL[name](WIDTH, 2, 3).eval(), views(1)
    for part, weight in network.named_parameters():
        if "query" in part or "key" in part:
            torch.nn.init.zeros_(weight)  # the mean of all segments, whoever asks
    mixed = network(seen)
    value = next(layer for part, layer in network.named_parameters() if "value" in part)
    own = seen[0] @ value.T
    assert torch.allclose(mixed, own + own.mean(dim=1, keepdim=True), atol=1e-5)


@every_network
def test_only_one_of_them_looks_at_segments_alone(name: str):
    torch.manual_seed(0)
    network, seen = TEMPORAL[name](WIDTH, 2, 3).eval(), views(1)
    before = network(seen)
    seen[0][:, 2] += 1
    moved = (network(seen) - before).abs().amax(dim=(0, 2)) > 1e-6
    assert moved[2]
    assert (moved.sum() == 1) == (name == "none")
