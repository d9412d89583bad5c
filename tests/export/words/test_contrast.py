import numpy as np
import torch

from edge.model.words import normalised
from export.words.contrast import Lesson, action_features, make_loss
from export.words.course import Plan, train
from export.words.fusion import make_fusion

FRAMES, WIDTH = 5, 8


def lesson(count=64):
    """Two actions of the same pictures in opposite order; no mean tells them apart."""
    rng = np.random.default_rng(0)
    path = normalised(rng.normal(size=(FRAMES, WIDTH)).astype(np.float32))
    path[FRAMES // 2] = path[0] + path[-1]
    ways = np.stack([path, path[::-1]])
    actions = np.arange(count) % 2
    noise = 0.05 * rng.normal(size=(count, 1, FRAMES, WIDTH)).astype(np.float32)
    texts = normalised(rng.normal(size=(2, 3, WIDTH)).astype(np.float32))
    return Lesson(normalised(ways[actions][:, None] + noise), actions, list(texts))


def right(fusion, taught):
    features = action_features(fusion, torch.from_numpy(taught.embeddings[:, 0])).detach().numpy()
    titles = normalised(np.stack([ways.mean(axis=0) for ways in taught.texts]))
    return float(((features @ titles.T).argmax(axis=1) == taught.actions).mean())


def test_it_learns_what_no_mean_can_tell():
    taught, fusion = lesson(), make_fusion(WIDTH, frames=FRAMES)
    assert right(fusion, taught) < 0.8
    loss = make_loss(fusion, taught, batch=32)
    train(fusion, loss, Plan(steps=150, batch=32, learning_rate=5e-3), task="toy")
    assert right(fusion, taught) == 1


def test_features_have_length_one_and_alpha_0_is_the_middle_crop():
    taught, fusion = lesson(4), make_fusion(WIDTH, frames=FRAMES)
    tubes = torch.from_numpy(taught.embeddings[:, 0])
    torch.testing.assert_close(action_features(fusion, tubes).norm(dim=1), torch.ones(4))
    middle = action_features(fusion, tubes, alpha=0.0)
    torch.testing.assert_close(middle, tubes[:, FRAMES // 2])
