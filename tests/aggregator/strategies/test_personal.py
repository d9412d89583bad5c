import numpy as np
import pytest

from aggregator.strategies.averaging import FedAvg
from aggregator.strategies.personal import FedALA, FedBN, FedRep
from aggregator.strategies.port import LocalRule
from edge.errors import ConfigError
from tests.aggregator.strategies.updates import MODEL, drawn_updates, flat, run, shared


@pytest.mark.parametrize(("strategy", "kept"), [(FedBN(), "norm1.bias"), (FedRep(), "fc4.weight")])
def test_what_stays_is_not_expected_and_not_moved(strategy, kept):
    assert set(strategy.expects(MODEL)) == set(MODEL) - {kept}
    step = run(strategy, shared(strategy, drawn_updates(0, 4)))
    np.testing.assert_array_equal(step.model[kept], MODEL[kept])
    assert not np.array_equal(step.model["body.weight"], MODEL["body.weight"])


def test_fedrep_trains_the_head_first():
    assert FedRep(names=("head.*",), head_epochs=5).local == LocalRule(
        keep_local=("head.*",), local_epochs=5
    )


@pytest.mark.parametrize("names", [("encoder.*",), ("*",)])
def test_names_that_fit_nothing_or_all_of_the_model_are_an_error(names):
    with pytest.raises(ConfigError, match=r"fedbn.*(none|all) of the model's weights.*norm1\.bias"):
        FedBN(names=names).begin(MODEL)


def test_fedala_averages_like_fedavg_and_mixes_the_last_layer():
    strategy, updates = FedALA(mixing_rate=0.5, mixing_share=0.3), drawn_updates(0, 5)
    assert (
        flat(run(strategy, updates).model).tolist() == flat(run(FedAvg(), updates).model).tolist()
    )
    assert strategy.local == LocalRule(
        mixed=("fc4.*", "detector.fc3.*"), mixing_rate=0.5, mixing_share=0.3
    )


def test_fedala_needs_upper_layers():
    with pytest.raises(ConfigError, match=r"fedala.*encoder.*norm1\.bias"):
        FedALA(names=("encoder.*",)).begin(MODEL)
