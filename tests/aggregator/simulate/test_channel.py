import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.simulate.channel import Channel, Terms
from aggregator.simulate.masked import masked_sum
from aggregator.simulate.poison import LIES, Poison
from aggregator.strategies.registry import make_strategy
from edge.domain.weights import WeightUpdate, shapes_of
from edge.errors import ConfigError
from edge.federation.noise import l2_norm

NAMES = ("a", "b", "c")


def updates(number: int = 1):
    rng = np.random.default_rng(number)
    return [
        WeightUpdate(
            name,
            number,
            10 * (k + 1),
            {
                "w": rng.normal(0, 0.1, (4, 5)).astype(np.float32),
                "b": rng.normal(0, 0.1, 4).astype(np.float32),
            },
        )
        for k, name in enumerate(NAMES)
    ]


SHAPES = shapes_of(updates()[0].delta)


def channel(strategy: str = "fedavg", *, seed: int = 0, **terms) -> Channel:
    return Channel(Terms(**terms), make_strategy(strategy), NAMES, seed)


def test_the_reference_delivers_exactly_what_was_sent():
    for sent, arrived in zip(updates(), channel().deliver(updates(), SHAPES), strict=True):
        assert arrived.update is not None
        assert (arrived.update.participant, arrived.bytes_up > 0) == (sent.participant, True)
        for name, array in sent.delta.items():
            np.testing.assert_array_equal(arrived.update.delta[name], array)


@pytest.mark.parametrize("scheme", ["int8", "int4", "sparse"])
def test_what_compression_leaves_out_is_sent_later(scheme: str):
    way = channel(compression=scheme)
    sent = received = 0.0
    for number in range(1, 30):
        arrived = next(iter(way.deliver(updates(number), SHAPES)))
        sent = sent + updates(number)[0].delta["w"]
        received = received + arrived.update.delta["w"]
    assert (
        np.abs(sent - received).max() < 0.5
    )  # without feedback: a random walk of all that is lost


@given(
    st.lists(st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3), min_size=2, max_size=4)
)
@settings(max_examples=10, deadline=None)
def test_masks_leave_the_sum_as_it_is(rows):
    words = {f"p{k}": np.array(row, np.uint32) for k, row in enumerate(rows)}
    total, bytes_up = masked_sum(words)
    np.testing.assert_array_equal(total, np.sum(list(words.values()), axis=0, dtype=np.uint32))
    assert bytes_up > 4 * 3 * len(rows)


@pytest.mark.parametrize("strategy", ["fedavg", "scaffold"])
def test_under_masks_a_strategy_makes_the_same_step(strategy: str):
    model = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    made = make_strategy(strategy)
    steps = []
    for secure in (False, True):
        way = channel(strategy, secure=secure)
        aggregation = made.begin(model)
        expected = made.expects(model)
        whole = [
            WeightUpdate(u.participant, u.round, u.num_examples, _filled(u.delta, expected))
            for u in updates()
        ]
        for arrived in way.deliver(whole, expected):
            aggregation.add(arrived.update)
        steps.append(aggregation.finish().model)
    for name in model:
        np.testing.assert_allclose(steps[1][name], steps[0][name], atol=1e-6)


def _filled(delta, expected):
    return {name: delta.get(name, np.zeros(shape, np.float32)) for name, shape in expected.items()}


def test_masks_hide_what_krum_must_see():
    with pytest.raises(ConfigError, match="krum"):
        channel("krum", secure=True)


def test_noise_follows_the_seed_and_has_the_promised_size():
    terms = {"clip_norm": 0.5, "noise_multiplier": 2.0}
    one, same, other = (
        [a.update.delta["w"] for a in channel(seed=seed, **terms).deliver(updates(), SHAPES)]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    clipped = [a.update for a in channel(clip_norm=0.01).deliver(updates(), SHAPES)]
    assert all(l2_norm(update.delta) <= 0.01 for update in clipped)
    assert 0.5 < np.std(one) < 2.0  # sigma 1, of 60 draws


def test_a_number_that_is_none_is_refused_and_its_sender_named():
    poison = Poison("nan", 0.34)
    (liar,) = poison.liars(NAMES, seed=0)
    arrived = list(channel(poison=poison).deliver(updates(), SHAPES))
    assert [each.update is None for each in arrived] == [name == liar for name in NAMES]
    (refused,) = [each.refused for each in arrived if each.refused]
    assert liar in refused
    assert "not finite" in refused


@pytest.mark.parametrize("kind", ["sign-flip", "scale", "noise"])
def test_liars_lie_and_the_others_do_not(kind: str):
    poison = Poison(kind, 0.34)
    liars = poison.liars(NAMES, seed=0)
    for sent, arrived in zip(
        updates(), channel(poison=poison).deliver(updates(), SHAPES), strict=True
    ):
        honest = np.array_equal(arrived.update.delta["w"], sent.delta["w"])
        assert honest == (sent.participant not in liars)


def test_lies_are_what_their_names_say():
    delta, rng = updates()[0].delta, np.random.default_rng(0)
    np.testing.assert_array_equal(LIES["sign-flip"](delta, rng)["w"], -delta["w"])
    assert l2_norm(LIES["scale"](delta, rng)) == pytest.approx(10 * l2_norm(delta))
    assert l2_norm(LIES["noise"](delta, rng)) > 5 * l2_norm(delta)
    assert sum(np.isnan(array).sum() for array in LIES["nan"](delta, rng).values()) == 1


@pytest.mark.parametrize("text", ["nan", "nan:0", "nan:1", "nan:x", "rumour:0.2"])
def test_another_poison_is_refused(text: str):
    with pytest.raises(ConfigError, match="KIND:SHARE"):
        Poison.parse(text)


def test_the_share_of_liars_is_a_share_of_the_participants():
    everybody = [f"p{k}" for k in range(20)]
    assert len(Poison.parse("scale:0.2").liars(everybody, seed=5)) == 4
    assert len(Poison("scale", 0.01).liars(everybody, seed=5)) == 1
