import numpy as np
import pytest

from aggregator.simulate.scene_statistics import STATISTICS, scene_caption, scene_counts
from edge.features import kinematics


def rows(*sizes_and_speeds: tuple[float, float]) -> np.ndarray:
    names = [feature.name for feature in kinematics.SPEC.features]
    made = np.zeros((len(sizes_and_speeds), len(names)), np.float32)
    made[:, names.index("height")], made[:, names.index("speed")] = np.array(sizes_and_speeds).T
    return made


@pytest.mark.parametrize(
    ("size", "speed", "expected"),
    [(0.1, 0.1, "small still"), (0.2, 0.7, "middling slow"), (0.5, 2.4, "large fast")],
)
def test_every_object_is_of_one_size_and_speed(size: float, speed: float, expected: str):
    counts = scene_counts(rows((size, speed)))
    assert STATISTICS[int(counts.argmax())] == expected
    assert counts.sum() == 1


def test_words_name_what_is_there_commonest_first():
    counts = scene_counts(rows(*[(0.1, 0.1)] * 8, (0.5, 2.0), (0.5, 2.0)))
    assert scene_caption(counts) == "mostly small still figures, some large fast figures"
    assert scene_caption(np.zeros(9, np.int64)) == ""
