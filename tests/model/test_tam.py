import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
tam = pytest.importorskip("edge.model.tam")
COMPONENTS, TemporalAggregation = tam.COMPONENTS, tam.TemporalAggregation

WIDTH, HEADS, REACH = 4, 2, 2
LENGTH = 6  # beyond the reach, so that distances are clipped
CLOSE = 1e-5


def module(backbones: int = 3, *, seed: int = 0, **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = {"heads": HEADS, "reach": REACH} | changes
        made = TemporalAggregation(WIDTH, backbones=backbones, **settings)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter)
    return made.eval()


def views(backbones: int = 3, *, batch: int = 2, length: int = LENGTH, seed: int = 1):
    rng = np.random.default_rng(seed)
    return [
        torch.from_numpy(rng.standard_normal((batch, length, WIDTH)).astype(np.float32))
        for _ in range(backbones)
    ]


def gamma(i: int, j: int, k: int) -> int:
    """Eq. 1, case by case."""
    if i - j <= -k:
        return 0
    return 2 * k - 1 if i - j >= k else i - j + k


def by_the_equations(made, clip, components) -> np.ndarray:
    """Eqs. 2-5 of one video, T times (L, width), one scalar product at a time, and the residual."""
    weights = {name: tensor.double().numpy() for name, tensor in made.state_dict().items()}
    count, length = len(clip), len(clip[0])
    d = 2 * WIDTH // HEADS
    table = weights["position"]
    q_r, k_r = (table @ weights[f"position_{name}.weight"].T for name in ("query", "key"))
    q, k, v = (
        [clip[t] @ weights[f"{name}.{t}.weight"].T for t in range(count)]
        for name in ("query", "key", "value")
    )
    out = np.zeros((length, 2 * WIDTH))
    terms = (count - 1) * ("cross" in components) + len({*components} - {"cross"})
    for t, head in itertools.product(range(count), range(HEADS)):
        part = slice(head * d, (head + 1) * d)
        for i in range(length):
            row = np.zeros(length)
            for j in range(length):
                if "self" in components:
                    row[j] += q[t][i, part] @ k[t][j, part]
                if "cross" in components:
                    row[j] += sum(q[t][i, part] @ k[h][j, part] for h in range(count) if h != t)
                if "content-to-position" in components:
                    row[j] += q[t][i, part] @ k_r[gamma(i, j, REACH), part]
                if "position-to-content" in components:
                    row[j] += k[t][j, part] @ q_r[gamma(j, i, REACH), part]
            share = np.exp(row / math.sqrt(terms * d))
            out[i, part] += (share / share.sum() @ v[t][:, part] + v[t][i, part]) / count
    return out


CHOICES = [
    COMPONENTS,
    *(tuple(c for c in COMPONENTS if c != left_out) for left_out in COMPONENTS),
    *((component,) for component in COMPONENTS),
]


@pytest.mark.parametrize("components", CHOICES, ids="+".join)
def test_attention_is_what_the_equations_say(components):
    made, seen = module(components=components), views()
    got = made(seen).detach().numpy()
    for row in range(2):
        expected = by_the_equations(made, [view[row].double().numpy() for view in seen], components)
        np.testing.assert_allclose(got[row], expected, atol=CLOSE)


def test_every_component_changes_the_outcome():
    outcomes = [module(components=components)(views()) for components in CHOICES]
    for one, other in itertools.combinations(outcomes, 2):
        assert (one - other).abs().max() > 100 * CLOSE


def test_one_backbone_has_no_cross_term_and_three_terms():
    alone, without = module(1), module(1, components=[c for c in COMPONENTS if c != "cross"])
    assert torch.equal(alone(views(1)), without(views(1)))
    assert alone.scale == pytest.approx(1 / math.sqrt(3 * 2 * WIDTH / HEADS))
    clip = [view[0].double().numpy() for view in views(1)]
    got = alone(views(1))[0].detach().numpy()
    np.testing.assert_allclose(got, by_the_equations(alone, clip, without.components), atol=CLOSE)


@pytest.mark.parametrize("backbones", [2, 3, 5])
def test_the_scale_counts_the_backbones_and_two(backbones: int):
    d = 2 * WIDTH / HEADS
    assert module(backbones).scale == pytest.approx(1 / math.sqrt((backbones + 2) * d))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_backbones_does_not_matter(order):
    made, seen = module(), views()
    before = made(seen)
    for layers in (made.query, made.key, made.value):
        held = [layer.weight.clone() for layer in layers]
        with torch.no_grad():
            for place, source in enumerate(order):
                layers[place].weight.copy_(held[source])
    assert torch.allclose(made([seen[source] for source in order]), before, atol=CLOSE)


@pytest.mark.parametrize("window", [None, 2, 32])
@pytest.mark.parametrize("real", [1, 3, LENGTH])
def test_padding_changes_nothing_and_is_no_number_that_hurts(window, real: int):
    made, seen = module(window=window), views()
    expected = made([view[:, :real] for view in seen])
    counted = torch.zeros(2, LENGTH)
    counted[:, :real] = 1
    for filling in (0.0, 100.0):
        for view in seen:
            view[:, real:] = filling
        got = made(seen, counted)
        assert torch.allclose(got[:, :real], expected, atol=CLOSE)
        assert torch.isfinite(got).all()


@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_window_sees_so_many_segments_and_no_later_one(window: int):
    made = module(window=window)
    for changed in range(LENGTH):
        seen = views()
        before = made(seen)
        for view in seen:
            view[:, changed] += 1
        moved = (made(seen) - before).abs().amax(dim=(0, 2)) > CLOSE
        assert moved.tolist() == [changed <= i < changed + window for i in range(LENGTH)]


def test_without_a_window_every_segment_sees_every_other():
    made, seen = module(), views()
    before = made(seen)
    for view in seen:
        view[:, -1] += 1
    assert ((made(seen) - before).abs().amax(dim=(0, 2)) > CLOSE).all()


def test_as_many_views_as_backbones():
    with pytest.raises(ValueError, match="zip"):
        module(3)(views(2))
