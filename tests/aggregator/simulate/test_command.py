import argparse
import json
import shutil
from pathlib import Path

import pytest

from aggregator.cli import EXIT_CODES, main
from aggregator.commands.simulate import add_simulate, run
from edge.errors import ConfigError


def simulate(root: Path, *arguments: str, dataset: str = "features") -> int:
    parser = argparse.ArgumentParser()
    add_simulate(parser.add_subparsers(), EXIT_CODES)
    always = ["simulate", "--dataset", dataset, "--root", str(root)]
    return run(parser.parse_args([*always, *arguments]))


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--help"])
    assert ended.value.code == 0
    assert EXIT_CODES in capsys.readouterr().out


def test_a_table_in_json(features: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    few = ["--rounds", "2", "--local-epochs", "1", "--seeds", "2", "--participants", "3"]
    shares = ["--setting", "partial", "--labelled-share", "0,1"]
    chosen = ["--methods", "local,fedprox", "--option", "fedprox.mu=0.5", "--compression", "int8"]
    out = ["--format", "json", "--plot", str(tmp_path / "plots")]
    assert simulate(features, *few, *shares, *chosen, *out) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["dataset"], content["setting"], content["seeds"]) == ("features", "partial", 2)
    rows = content["rows"]
    assert [(row["labelled_share"], row["method"]) for row in rows] == [
        (0.0, "local"),
        (0.0, "fedprox"),
        (1.0, "local"),
        (1.0, "fedprox"),
    ]
    for row in rows:
        assert 0 <= row["auc_micro_causal"]["mean"] <= 1
        assert len(row["per_round"]) == 2
        assert row["participants"] == 3
        assert (row["bytes_up_per_round"] > 0) == (row["method"] == "fedprox")
    assert len(list((tmp_path / "plots").iterdir())) == 2


def test_a_table_of_cameras_in_text(tracks: Path, capsys: pytest.CaptureFixture[str]):
    few = ["--rounds", "1", "--seeds", "1", "--methods", "fedbn,centralised"]
    assert simulate(tracks, "--setting", "normal", *few, dataset="shanghaitech-tracks") == 0
    out = capsys.readouterr().out
    assert "normal             fedbn" in out
    assert "camera 02" in out
    assert "student micro" in out


def test_cameras_tell_what_the_student_finds_alone(
    tracks: Path, capsys: pytest.CaptureFixture[str]
):
    few = ["--rounds", "1", "--seeds", "2", "--methods", "fedavg", "--format", "json"]
    simulate(tracks, "--setting", "normal", *few, dataset="shanghaitech-tracks")
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["auc_student_micro_causal"].keys() == {"mean", "sd"}
    assert 0 <= row["auc_student_micro_causal"]["mean"] <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labelled-share", "0.5"], "says nothing"),
        (["--labelled-share", "2"], "from 0 to 1"),
        (["--secure", "--methods", "krum"], "krum"),
        (["--secure", "--poison", "nan:0.2"], "NaN"),
        (["--secure", "--compression", "int8"], "add up"),
        (["--methods", "fedwhat"], "fedwhat"),
        (["--methods", "fedbn"], "fedbn"),  # the student for clap has no normalisation
        (["--methods", "local+tuned"], "for strategies"),
        (["--option", "mu=1"], "METHOD.NAME=VALUE"),
        (["--option", "fedprox.mu=-1", "--methods", "fedprox"], "mu"),
        (
            ["--option", "fedprox.mu=1", "--methods", "local,fedavg"],
            "local,fedavg have: fedavg: add",
        ),
        (["--option", "local.epochs=1"], "no run has local; .* nothing with options"),
        (["--option", "fedprox+tuned.mu=1", "--methods", "fedprox+tuned"], "have: fedprox: add"),
        (["--sweep", "fedprox.mu=0.1,1", "--methods", "fedavg"], "fedprox.mu: .* have: fedavg"),
        (["--option", "ased.steps=1", "--methods", "fedavg"], "ased.steps: no run has ased"),
        (["--option", "ased.step=1", "--methods", "fedavg+ased"], "option step: Unexpected"),
        (["--option", "ased.steps=few", "--methods", "fedavg+vd"], "option steps: .* integer"),
        (["--option", "ased.teacher.epochs=2", "--methods", "fedavg+vd"], "option teacher.epochs"),
        (["--option", "ased.threshold=2", "--methods", "fedavg+vd"], "threshold must be in"),
        (["--participants", "99"], "12 clips"),
        (["--public", "0"], "nothing of objects"),
        (["--methods", "fedavg+ased"], "--public"),
        (["--sweep", "local-epochs=0"], "--sweep"),
        (["--sweep", "mu=1,2"], "METHOD.OPTION"),
        (["--sweep", "fedprox.mu=1,-1", "--methods", "fedprox"], "mu"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(features: Path, arguments: list[str], message: str):
    with pytest.raises(ConfigError, match=message):
        simulate(features, "--setting", "unlabelled", "--methods", "local", *arguments)


def test_a_broker_needs_mosquitto_and_hosts_that_do_not_lie(
    features: Path, monkeypatch: pytest.MonkeyPatch
):
    broker = ["--setting", "unlabelled", "--methods", "fedavg", "--backend", "broker"]
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="mosquitto is not installed"):
        simulate(features, *broker)
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/sbin/{name}")
    with pytest.raises(ConfigError, match="no --poison"):
        simulate(features, *broker, "--poison", "scale:0.2")


def test_cameras_cannot_be_dealt_where_they_calibrate(tracks: Path):
    arguments = ["--setting", "normal", "--participants", "2"]
    with pytest.raises(ConfigError, match="whole cameras calibrate"):
        simulate(tracks, *arguments, dataset="shanghaitech-tracks")


def test_a_table_for_each_value_of_what_is_swept(
    features: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    few = ["--setting", "unlabelled", "--methods", "fedavg", "--seeds", "1", "--rounds", "4"]
    few += ["--local-epochs", "1", "--judge-every", "4"]
    assert simulate(features, *few, "--sweep", "local-epochs=1,2", "--plot", str(tmp_path)) == 0
    assert "local-epochs=2" in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("*.png")] == [
        "features-unlabelled-by-local-epochs.png"
    ]
    simulate(features, *few, "--sweep", "local-epochs=1,2", "--format", "json")
    tables = json.loads(capsys.readouterr().out)["sweep"]
    assert {n: (t["rounds"], t["local_epochs"]) for n, t in tables.items()} == {
        "local-epochs=1": (4, 1),
        "local-epochs=2": (2, 2),
    }


def test_streets_have_no_folder_and_others_need_one(features: Path):
    with pytest.raises(ConfigError, match="--root"):
        simulate(features, "--setting", "normal", dataset="streets")


def test_a_privacy_budget_becomes_noise(features: Path, capsys: pytest.CaptureFixture[str]):
    few = ["--rounds", "2", "--local-epochs", "1", "--seeds", "1", "--format", "json"]
    private = ["--setting", "unlabelled", "--methods", "fedavg", "--epsilon", "8"]
    simulate(features, *few, *private)
    noise = json.loads(capsys.readouterr().out)["noise_multiplier"]
    assert 0.3 < noise < 3
    simulate(features, *few, "--setting", "unlabelled", "--methods", "fvcc", "--epsilon", "8")
    assert json.loads(capsys.readouterr().out)["noise_multiplier"] > noise  # shares cost too
