"""``vad-aggregator clusters`` on a federation of two kinds of hosts."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aggregator.cli import main
from aggregator.commands.report import STORE
from aggregator.compose import open_site
from aggregator.config import load_config
from aggregator.participants import write_participants
from aggregator.rounds import Rounds
from edge.terminal import WRONG_INPUT
from edge.wire.chunks import blob_of
from edge.wire.compression import encode_delta
from edge.wire.rounds import Accepted, Join, UpdateOffer
from edge.wire.weights import decode_weights
from tests.aggregator.test_cli import write

FVCC = "fvcc, options: {num_clusters: 2, classes: [person, car, other]}"
SEES = {
    "square-north": (0.9, 0.05, 0.05),
    "square-south": (0.8, 0.1, 0.1),
    "street": (0.1, 0.9, 0.0),
    "street-two": (0.05, 0.9, 0.05),
}


def offer_of(rounds: Rounds, host: str) -> None:
    value = 5.0 if host.startswith("square") else -5.0
    payload = encode_delta({"w": np.full(3, value, np.float32)}, "fp32")
    told = rounds.announcement.seen_by(host)
    offer = UpdateOffer(
        round=told.round,
        update=f"{host}-{told.round}",
        fingerprint=told.fingerprint,
        num_examples=1,
        blob=blob_of(payload),
    )
    assert isinstance(rounds.take(host, offer, payload, 1.0), Accepted)


@pytest.fixture
def config(tmp_path: Path, capsys) -> Path:
    """After one round, and with one host that was placed in the second."""
    path = write(tmp_path, FVCC, quorum=len(SEES))
    main(["provision", "-c", str(path)])
    site = open_site(load_config(path), path)
    for host, objects in SEES.items():
        join = Join(round=1, takes_part=True, version="1", objects=objects)
        assert site.rounds.join(host, join, 1.0) is None
        offer_of(site.rounds, host)
    site.rounds.tick(1.0)
    late = Join(round=2, takes_part=True, version="1", objects=(0.0, 1.0, 0.0))
    site.rounds.join("late", late, 2.0)
    site.rounds.tick(2.0)
    site.store.close()
    capsys.readouterr()
    return path


def test_it_tells_who_is_with_whom_and_why(config: Path, capsys):
    assert main(["clusters", "-c", str(config), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sorted(one["members"] for one in told["clusters"]) == [
        ["late", "street", "street-two"],
        ["square-north", "square-south"],
    ]
    by_name = {one["name"]: one for one in told["participants"]}
    for name, objects in SEES.items():
        one = by_name[name]
        assert list(one["objects"].values()) == pytest.approx(objects, abs=1e-6)
        distances = {int(label): d["joint"] for label, d in one["distances"].items()}
        assert min(distances, key=distances.__getitem__) == one["cluster"]
    newcomer = by_name["late"]["distances"][str(by_name["late"]["cluster"])]
    assert newcomer["model"] is None  # it has not sent an update yet
    assert newcomer["joint"] == pytest.approx(told["beta"] * newcomer["objects"])


def test_it_tells_a_person(config: Path, capsys):
    assert main(["clusters", "-c", str(config)]) == 0
    said = capsys.readouterr().out
    assert "round 2: 2 clusters" in said
    assert "2 members, person 85%, " in said
    (late,) = (line for line in said.splitlines() if line.startswith("late"))
    assert "- + " in late
    assert "car 100%" in late


def test_it_draws(config: Path, tmp_path: Path, capsys):
    path = tmp_path / "new" / "clusters.png"
    assert main(["clusters", "-c", str(config), "--plot", str(path)]) == 0
    picture = cv2.imread(str(path))
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert {(178, 114, 0), (0, 94, 213), (115, 158, 0)} <= colours  # of the three classes
    assert main(["clusters", "-c", str(config), "--plot", "clusters.txt"]) == WRONG_INPUT
    assert "ends in .png" in capsys.readouterr().err


def strike(config: Path, *left: str) -> None:
    """All have keys from now on, but those who have left."""
    hosts = [name for name in (*SEES, "late") if name not in left]
    keys = {host: Ed25519PrivateKey.generate().public_key() for host in hosts}
    write_participants(load_config(config).keys_dir / "participants.yaml", keys)


def members(config: Path, capsys) -> dict[str, int]:
    assert main(["clusters", "-c", str(config), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = {name: one["label"] for one in told["clusters"] for name in one["members"]}
    assert found == {one["name"]: one["cluster"] for one in told["participants"]}
    return found


def test_who_is_struck_off_the_list_is_in_no_cluster_and_who_is_silent_stays(config: Path, capsys):
    everybody = members(config, capsys)
    strike(config, "street")
    expected = {name: label for name, label in everybody.items() if name != "street"}
    assert members(config, capsys) == expected  # before the aggregator has started again
    site = open_site(load_config(config), config)
    for host in ("street", "square-north", "square-south", "street-two"):
        offer_of(site.rounds, host)  # that of the one who has left was accepted before
    site.rounds.tick(3.0)
    assert site.rounds.running.number == 3
    told = {name for one in site.rounds.announcement.clusters for name in one.members}
    assert told == everybody.keys() - {"street"}  # "late" has never sent an update
    assert "member/street" not in decode_weights(site.store.outcome().strategy)
    site.store.close()
    assert members(config, capsys) == expected


def test_the_label_of_those_who_have_all_left_is_free_again(config: Path, capsys):
    before = members(config, capsys)
    strike(config, "square-north", "square-south")
    assert set(members(config, capsys).values()) == {before["street"]}
    site = open_site(load_config(config), config)
    for host in SEES:
        offer_of(site.rounds, host)
    site.rounds.tick(3.0)
    (cluster,) = site.rounds.announcement.clusters
    assert (cluster.label, cluster.members) == (
        before["street"],
        ("late", "street", "street-two"),
    )
    site.store.close()


def test_where_everybody_is_struck_off_there_are_no_clusters_in_any_round(config: Path, capsys):
    strike(config, *SEES, "late")
    assert members(config, capsys) == {}
    assert main(["clusters", "-c", str(config)]) == 0
    assert "round 2: no clusters now" in capsys.readouterr().out


def test_who_is_given_the_name_of_one_who_has_left_is_placed_by_nothing_that_it_saw(config: Path):
    strike(config, "street")
    site = open_site(load_config(config), config)
    for host in SEES:
        offer_of(site.rounds, host)
    site.rounds.tick(3.0)
    site.store.close()
    strike(config)
    site = open_site(load_config(config), config)
    site.rounds.join("street", Join(round=3, takes_part=True, version="1"), 4.0)
    site.rounds.tick(4.0)
    assert site.store.placements() == [("street", None)]
    site.store.close()


def test_before_the_first_round_is_over_nobody_is_with_anybody(tmp_path: Path, capsys):
    path = write(tmp_path, FVCC)
    main(["provision", "-c", str(path)])
    open_site(load_config(path), path).store.close()
    capsys.readouterr()
    picture = tmp_path / "none.png"
    assert main(["clusters", "-c", str(path), "--plot", str(picture)]) == 0
    assert "round 1: no clusters now, the end of a round makes them" in capsys.readouterr().out
    assert picture.exists()


def test_a_strategy_without_clusters_is_told(tmp_path: Path, capsys):
    path = write(tmp_path)
    main(["provision", "-c", str(path)])
    open_site(load_config(path), path).store.close()
    assert main(["clusters", "-c", str(path)]) == WRONG_INPUT
    assert "makes no clusters" in capsys.readouterr().err


def test_asking_writes_nothing(config: Path):
    store = config.parent / "data" / STORE
    before = store.read_bytes()
    assert main(["clusters", "-c", str(config)]) == 0
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("strategy", "quorum", "extra", "said"),
    [
        (FVCC, "2, mode: buffered, max_staleness: 1", "", "compares updates of one round"),
        ("fvcc, options: {classes: ['']}", 2, "", "classes of objects"),
        (FVCC, 2, "distillation: {public: nowhere}\n", "no such folder"),
    ],
)
def test_what_clusters_cannot_be_made_with_ends_before_it_begins(
    tmp_path: Path, strategy: str, quorum: int | str, extra: str, said: str, capsys
):
    path = write(tmp_path, strategy, quorum, extra)
    main(["provision", "-c", str(path)])
    assert main(["run", "-c", str(path)]) == WRONG_INPUT
    assert said in capsys.readouterr().err
    assert not (tmp_path / "data" / STORE).exists()
