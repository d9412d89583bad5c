import pickle
from pathlib import Path

import pytest

from edge.errors import ModelError

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
weights_room = pytest.importorskip("export.backbones.weights")

read_checkpoint, fill = weights_room.read_checkpoint, weights_room.fill


def network() -> "torch.nn.Module":
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("wrapped", ["bare", "state_dict", "parallel", "safetensors"])
def test_weights_are_read_however_they_were_saved(wrapped: str, tmp_path: Path):
    state = network().state_dict()
    path = tmp_path / ("w.safetensors" if wrapped == "safetensors" else "w.pt")
    if wrapped == "safetensors":
        safetensors.save_file(state, path)
    else:
        parallel = {f"module.{name}": value for name, value in state.items()}
        forms = {"bare": state, "state_dict": {"epoch": 3, "state_dict": state}}
        torch.save(forms.get(wrapped, parallel), path)
    read = read_checkpoint(path)
    other = network()
    fill(other, read, beside=())
    assert all(torch.equal(other.state_dict()[name], state[name]) for name in state)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"junk" * 99, pickle.dumps(["a", 1], protocol=2)[:-1], b"\xff" * 8 + b"{"]
)
def test_hostile_files_are_refused(content: bytes, suffix: str, tmp_path: Path):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad.*as safetensors"):
        read_checkpoint(path)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Bomb()}, "bomb.pt")
    with pytest.raises(ModelError, match="not a file of weights alone"):
        read_checkpoint(Path("bomb.pt"))
    assert not Path("exploded").exists()


@pytest.mark.parametrize("held", [[1, 2], {}, {"a": 3}, {"state_dict": {"a": [1.0]}}])
def test_what_is_no_table_of_weights_is_refused(held: object, tmp_path: Path):
    torch.save(held, tmp_path / "odd.pt")
    with pytest.raises(ModelError, match="no table of weights"):
        read_checkpoint(tmp_path / "odd.pt")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state.pop("0.bias"), "0.bias"),
        (lambda state: state.update({"2.weight": torch.ones(1)}), "2.weight"),
        (lambda state: state.update({"0.weight": torch.ones(2, 2)}), "0.weight"),
    ],
)
def test_weights_of_another_network_are_refused_and_leave_it_alone(change, named: str):
    state, own = network().state_dict(), network()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    change(state)
    with pytest.raises(ModelError, match=f"1 of them .*{named}"):
        fill(own, state, beside=())
    assert all(torch.equal(before[name], value) for name, value in own.state_dict().items())


def test_a_classifier_may_be_left_over():
    fill(network(), network().state_dict() | {"head.weight": torch.ones(9, 2)}, beside=("head.",))


def test_others_keep_their_luck():
    torch.manual_seed(5)
    wanted = torch.rand(2)
    torch.manual_seed(5)
    first = torch.rand(1)
    with weights_room.seeded(weights_room.Random(1)):
        drawn = torch.rand(1)
    with weights_room.seeded(weights_room.Random(1)):
        assert torch.rand(1) == drawn
    assert torch.equal(torch.cat([first, torch.rand(1)]), wanted)
