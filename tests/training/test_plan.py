import numpy as np
import pytest

from edge.errors import TrainingError
from edge.training.plan import LocalPlan, new_control

NAMES = ["fc1.weight", "norm1.weight", "norm1.bias", "fc2.weight"]


def test_patterns_say_what_stays_at_home():
    plan = LocalPlan(keep_local=("norm*",))
    assert plan.shared(NAMES) == ["fc1.weight", "fc2.weight"]
    assert LocalPlan().shared(NAMES) == NAMES


def test_one_phase_trains_everything_two_phases_never_both():
    assert all(LocalPlan(keep_local=("norm*",)).learns(name, 0) for name in NAMES)
    plan = LocalPlan(keep_local=("norm*",), local_epochs=2, epochs=1)
    assert plan.all_epochs == 3
    for name in NAMES:
        assert [plan.learns(name, epoch) for epoch in range(3)] == (
            [True, True, False] if "norm" in name else [False, False, True]
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_rows": 0},
        {"local_epochs": -1},
        {"learning_rate": 0},
        {"weight_decay": -1},
        {"momentum": -0.1},
        {"proximal": -1},
        {"local_epochs": 1},
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(wrong):
    with pytest.raises(TrainingError, match="plan:"):
        LocalPlan(**wrong)


def test_the_new_control_variate_is_that_of_option_two():
    """c_k⁺ = c_k - c + (x - y_k) / (K η)."""
    c, c_k = np.array([0.5], np.float32), np.array([0.2], np.float32)
    x, y = np.array([1.0], np.float32), np.array([0.6], np.float32)
    new = new_control({"w": c - c_k}, {"w": x}, {"w": y}, steps=4, learning_rate=0.1)
    assert new["w"] == pytest.approx(c_k - c + (x - y) / (4 * 0.1))
    assert new["w"].dtype == np.float32
