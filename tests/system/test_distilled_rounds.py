"""Rounds whose models the real distilling process improves: with a public set in memory, where the
process that holds the rounds is replaced in between, and with videos and hosts on a real broker."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="distillation needs torch")

from aggregator.cli import main
from aggregator.distilling import Distiller
from aggregator.plan import begin
from aggregator.rounds import Rounds
from aggregator.store import Store
from aggregator.strategies.registry import make_strategy
from edge.domain.weights import shapes_of
from edge.model.spec import StudentSpec
from edge.model.student import make_student, weights_of
from edge.scoring.student import input_spec
from edge.wire.chunks import blob_of
from edge.wire.compression import encode_delta
from edge.wire.rounds import Accepted, Phase, UpdateOffer
from edge.wire.weights import encode_weights
from tests.aggregator.distillation.public_sets import WIDTH
from tests.aggregator.test_rounds import plan
from tests.fakes.clips import write_clips
from tests.system.broker import MOSQUITTO
from tests.system.federation import Federation, Host, at_work, has_begun

pytestmark = pytest.mark.system
SPEC = StudentSpec("clap", WIDTH, hidden=8)
MODEL = weights_of(make_student(SPEC, seed=0))
STRATEGY = make_strategy("fvcc", num_clusters=2, classes=(), beta=0.0)
PLAN = plan(quorum=4, close_at=4, distillation_s=1e9)
HOSTS = {"a": 0.05, "b": 0.05, "c": -0.05, "d": -0.05}
WITH_A_SET = (
    "from aggregator.cli import main; from aggregator.public import reading; import sys;"
    "from tests.aggregator.distillation.public_sets import a_set;"
    "reading.read_public = lambda folder: a_set(); sys.exit(main())"
)
SECTION = """
distillation:
  public: public
  options: {steps: 2, teacher: {width: 8, heads: 2, epochs: 1}}
"""
PATIENCE_S = 240.0

CAPTIONS = {
    "train/n0": "people walk",
    "train/n1": "people stand and talk",
    "test/odd": "somebody rides a bicycle",
}
LABELS = {"n0": 0, "n1": 0, "odd": 1}
ON_A_BROKER = {
    name: Host(seed, takes_s=0.0, kind=100 + seed // 2)
    for seed, name in enumerate(("street0", "street1", "square0", "square1"))
}
HOW = f"""
compression: fp32
strategy: {{name: fvcc, options: {{num_clusters: 2, classes: [], beta: 0.0}}}}
{SECTION}
"""


def distiller(folder: Path) -> Distiller:
    about = {"student": json.dumps(SPEC.as_json()), "spec_versions": "[]"}
    (folder / "m.safetensors").write_bytes(encode_weights(MODEL, metadata=about))
    config = folder / "aggregator.yaml"
    config.write_text("federation: street\nmodel: m.safetensors\n" + SECTION)
    command = [sys.executable, "-c", WITH_A_SET, "distil", "-c", str(config), "--until-eof"]
    return Distiller(command, folder / "data" / "distillation")


def send_all(rounds: Rounds) -> None:
    for host, value in HOSTS.items():
        delta = {
            name: np.full(shape, value, np.float32) for name, shape in shapes_of(MODEL).items()
        }
        payload = encode_delta(delta, "fp32")
        told = rounds.announcement.seen_by(host)
        offer = UpdateOffer(
            round=told.round,
            update=f"{host}{told.round}",
            fingerprint=told.fingerprint,
            num_examples=1,
            blob=blob_of(payload),
        )
        assert isinstance(rounds.take(host, offer, payload, 1.0), Accepted)
    rounds.tick(1.0)


def until_over(rounds: Rounds) -> list[dict[str, np.ndarray]]:
    """Models of the clusters that the next round begins with."""
    deadline_s = time.monotonic() + PATIENCE_S
    while rounds.running.number == 1:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
        rounds.tick(1.0)
    now = rounds._membership
    return [dict(each.model) for each in STRATEGY.clusters(now.model, now.state)]


def begun(folder: Path) -> Store:
    store = Store(folder / "store.sqlite")
    begin(store, STRATEGY, PLAN, MODEL, 0.0)
    return store


@pytest.mark.timeout(600)
def test_clusters_are_improved_and_a_restart_comes_to_the_same(tmp_path: Path, caplog) -> None:
    models = []
    for name in ("whole", "killed", "without"):
        folder = tmp_path / name
        folder.mkdir()
        store = begun(folder)
        improver = None if name == "without" else distiller(folder)
        rounds = Rounds(store, STRATEGY, PLAN, improver)
        send_all(rounds)
        if name == "killed":
            assert rounds.announcement.phase is Phase.DISTILLATION
            improver.stop()
            rounds = Rounds(store, STRATEGY, PLAN, distiller(folder))
        models.append(until_over(rounds))
        store.close()
    assert "not distilled" not in caplog.text
    whole, killed, without = models
    assert len(whole) == 2
    for improved, again, averaged in zip(whole, killed, without, strict=True):
        assert any(np.abs(improved[name] - averaged[name]).max() > 1e-4 for name in averaged)
        for name in averaged:
            np.testing.assert_array_equal(improved[name], again[name])


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Three clips of a street, and what is said of them."""
    videos = write_clips(tmp_path / "clips") / "video"
    for video, caption in CAPTIONS.items():
        (videos / f"{video}.txt").write_text(caption)
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(LABELS))
    sight = ["--analysis-hz", "10", "--every", "2", "--labels", str(labels)]
    assert main(["public", "add", str(videos), "--out", str(tmp_path / "public"), *sight]) == 0
    return tmp_path / "public"


@pytest.mark.timeout(600)
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
@pytest.mark.usefixtures("public")
def test_every_round_of_a_federation_ends_with_a_distillation(tmp_path: Path) -> None:
    spec = StudentSpec("density", len(input_spec("density")), hidden=8)
    made = Federation(
        tmp_path,
        ON_A_BROKER,
        model=weights_of(make_student(spec, seed=0)),
        student=spec.as_json(),
        rounds=2,
        quorum=len(ON_A_BROKER),
        how=HOW,
    )
    with at_work(made, *ON_A_BROKER) as federation:
        federation.until(has_begun(3))
    said = (tmp_path / "aggregator.log").read_text()
    for number in (1, 2):
        assert f"round {number}: 2 models were distilled into" in said
