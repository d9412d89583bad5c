import numpy as np
import pytest

torch = pytest.importorskip("torch")
room = pytest.importorskip("edge.training.torch_state")

OPTIMISERS = {
    "adam": lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "plain": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
}


def beginner(name, seed):
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return network, OPTIMISERS[name](network.parameters())


def learn(network, optimiser, steps):
    for step in range(steps):
        optimiser.zero_grad()
        x = torch.from_numpy(np.random.default_rng(step).normal(size=(5, 3)).astype(np.float32))
        network(x).square().sum().backward()
        optimiser.step()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_training_goes_on_as_if_it_had_never_stopped(name):
    one, its = beginner(name, 0)
    learn(one, its, 3)
    arrays = {key: array.copy() for key, array in room.state_arrays(one, its).items()}
    other, own = beginner(name, 1)
    room.restore(other, own, arrays | {"generator": np.zeros(3)})
    learn(one, its, 2)
    learn(other, own, 2)
    for key, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key
