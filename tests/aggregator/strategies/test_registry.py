import re

import pytest

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.registry import STRATEGIES, make_strategy
from edge.errors import ConfigError
from tests.aggregator.strategies.example_plugin import MajorityVote

HERE = "tests.aggregator.strategies"


def test_names_are_those_of_the_classes():
    assert make_strategy("fedavg") == FedAvg()
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name


def test_options_are_the_fields():
    made = make_strategy("fedavg", weighting="equal", server_learning_rate=2)
    assert made == FedAvg(weighting="equal", server_learning_rate=2.0)


def test_a_list_of_names_as_yaml_gives_it():
    assert make_strategy("fedbn", names=["bn*"]).local.keep_local == ("bn*",)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("fedsgd", {}, "'fedsgd' does not exist: choose one of coordinate_median, fedadam"),
        ("fedprox", {"my": 1}, "no option 'my': it has server_learning_rate, weighting, mu"),
        ("norm_clipping", {}, "needs the option 'bound'"),
        ("fedadam", {"beta2": 1.0}, "option beta2 = 1.0: Input should be less than 1"),
        ("fedavg", {"server_learning_rate": float("nan")}, "finite number"),
        ("fedavg", {"server_learning_rate": "fast"}, "valid number"),
        ("fedavg", {"weighting": "loud"}, "'examples' or 'equal'"),
        ("trimmed_mean", {"trim": 0.5}, "less than 0.5"),
        ("krum", {"hostile": -1}, "greater than or equal to 0"),
        ("fedbn", {"names": []}, "at least 1 item"),
        ("no_such_package:Strategy", {}, "cannot be imported: No module named 'no_such_package'"),
        (f"{HERE}.example_plugin:Missing", {}, "has no attribute 'Missing'"),
        (f"{HERE}.example_plugin:np", {}, "no subclass"),
        (":Strategy", {}, "cannot be imported"),
        (f"{HERE}.example_plugin:MajorityVote", {"step": 0}, "greater than 0"),
    ],
)
def test_a_mistake_is_answered_with_what_exists(name, options, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        make_strategy(name, **options)


def test_a_class_of_ones_own_is_found_by_its_path():
    assert make_strategy(f"{HERE}.example_plugin:MajorityVote", step=0.1) == MajorityVote(step=0.1)
