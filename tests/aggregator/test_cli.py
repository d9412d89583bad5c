import json
import socket
from pathlib import Path

import numpy as np
import pytest
import yaml

from aggregator.cli import main
from aggregator.compose import STORE, open_site
from aggregator.config import load_config
from aggregator.store import Store
from edge.terminal import FAILED, WRONG_INPUT
from edge.wire.weights import encode_weights
from tests.fakes.colours import colour_words

CONFIG = """
federation: street
model: initial.safetensors
rounds: {{quorum: {quorum}}}
strategy: {{name: {strategy}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path)


def write(folder: Path, strategy: str = "fedavg", quorum: int = 2, extra: str = "") -> Path:
    about = {"student": json.dumps({"head": "density"}), "spec_versions": '["x-1"]'}
    model = encode_weights({"w": np.zeros(3, np.float32)}, metadata=about)
    (folder / "initial.safetensors").write_bytes(model)
    path = folder / "aggregator.yaml"
    path.write_text(CONFIG.format(strategy=strategy, quorum=quorum) + extra)
    return path


def asked(config: Path, command: str, capsys, *more: str):
    assert main([command, "-c", str(config), "--format", "json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_provisioned_participants_are_listed_before_and_after_the_first_round(config, capsys):
    made = asked(config, "provision", capsys, "door", "yard")
    assert set(made["hosts"]) == {"door", "yard"}
    open_site(load_config(config), config).store.close()
    with_store = asked(config, "participants", capsys)["participants"]
    assert [one["name"] for one in with_store] == ["door", "yard"]
    assert main(["participants", "-c", str(config)]) == 0
    assert "never heard of" in capsys.readouterr().out


def test_who_is_deleted_from_the_list_loses_its_topics_when_the_site_is_made_again(config, capsys):
    asked(config, "provision", capsys, "door", "yard")
    keys = load_config(config).keys_dir
    listed = yaml.safe_load((keys / "participants.yaml").read_text())
    del listed["participants"]["door"]
    (keys / "participants.yaml").write_text(yaml.safe_dump(listed))
    asked(config, "provision", capsys)
    lines = (keys / "broker" / "acl").read_text().splitlines()
    assert "user yard" in lines
    assert "user door" not in lines


def test_a_federation_that_has_begun_tells_how_it_stands(config, capsys):
    main(["provision", "-c", str(config)])
    open_site(load_config(config), config).store.close()
    capsys.readouterr()
    status = asked(config, "status", capsys)
    assert (status["number"], status["phase"], status["accepted_from"]) == (1, "updates", [])
    assert [one["number"] for one in asked(config, "rounds", capsys)["rounds"]] == [1]
    for command in ("status", "rounds"):
        assert main([command, "-c", str(config)]) == 0
        assert "updates" in capsys.readouterr().out


def test_a_word_model_that_reads_is_opened_and_no_other(tmp_path, capsys):
    colour_words(tmp_path / "reads")
    colour_words(tmp_path / "dumb", tower=False)
    config = write(tmp_path, extra="words: dumb\n")
    main(["provision", "-c", str(config)])
    assert main(["run", "-c", str(config)]) == 2
    assert "dumb has no text tower" in capsys.readouterr().err
    path = write(tmp_path, extra="words: reads\n")
    site = open_site(load_config(path), path)
    site.store.close()
    assert site.reader is not None


def test_asking_writes_nothing(config, capsys):
    main(["provision", "-c", str(config)])
    open_site(load_config(config), config).store.close()
    store = config.parent / "data" / STORE
    before = store.read_bytes()
    capsys.readouterr()
    asked(config, "status", capsys)
    assert store.read_bytes() == before


@pytest.mark.parametrize("command", ["status", "rounds", "participants"])
def test_before_the_first_run_there_is_nothing_to_ask(config, command, capsys):
    assert main([command, "-c", str(config)]) == WRONG_INPUT
    assert "has not begun" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("strategy", "quorum", "extra", "said"),
    [
        ("fedsum", 2, "", "does not exist"),
        ("krum", 2, "", "at least"),
        ("krum", 9, "secure: {threshold: 5}\nprivacy: {clip_norm: 1}\n", "secure"),
    ],
)
def test_what_does_not_fit_together_ends_before_it_begins(
    tmp_path, strategy, quorum, extra, said, capsys
):
    config = write(tmp_path, strategy, quorum, extra)
    main(["provision", "-c", str(config)])
    assert main(["run", "-c", str(config)]) == WRONG_INPUT
    assert said in capsys.readouterr().err
    assert not (tmp_path / "data" / STORE).exists()


def test_a_model_that_does_not_say_what_it_is_is_refused(config, capsys):
    main(["provision", "-c", str(config)])
    model = config.parent / "initial.safetensors"
    model.write_bytes(encode_weights({"w": np.zeros(3, np.float32)}))
    assert main(["run", "-c", str(config)]) == WRONG_INPUT
    assert "metadata" in capsys.readouterr().err


def test_a_damaged_memory_is_told_and_not_touched(config, capsys):
    (config.parent / "data").mkdir()
    path = config.parent / "data" / STORE
    path.write_bytes(b"not a database" * 100)
    assert main(["status", "-c", str(config)]) == FAILED
    assert "cannot be used" in capsys.readouterr().err
    assert path.read_bytes().startswith(b"not a database")


def test_a_newer_program_s_memory_is_refused(config, tmp_path, capsys):
    store = Store(tmp_path / "data" / STORE)
    store._db.execute("PRAGMA user_version = 99")
    store.close()
    assert main(["status", "-c", str(config)]) == FAILED
    assert "format 99" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_documents_the_exit_codes(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "exit codes" in capsys.readouterr().out


@pytest.fixture
def site(config):
    main(["provision", "-c", str(config)])
    return config


def failure(config: Path, extra: str, capsys) -> str:
    """What ``run`` says to an addition to a working configuration; it must be a mistake in it."""
    config.write_text(config.read_text() + extra)
    capsys.readouterr()
    assert main(["run", "-c", str(config)]) == WRONG_INPUT
    return capsys.readouterr().err


def test_a_port_that_is_in_use_is_a_mistake_in_the_configuration(site, capsys):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        said = failure(site, f"metrics: {{port: {port}}}\n", capsys)
    assert "metrics.port" in said
    assert str(port) in said


@pytest.mark.parametrize("broken", ["ca", "cert", "key"])
def test_a_certificate_that_cannot_be_used_is_not_tried_for_ever(site, broken: str, capsys):
    names = {"ca": "ca.crt", "cert": "aggregator.crt", "key": "aggregator.key"}
    files = {name: f"keys/{file}" for name, file in names.items()} | {broken: "keys/none"}
    said = failure(site, f"mqtt: {{tls: {json.dumps(files)}}}\n", capsys)
    assert "mqtt.tls" in said
    assert "keys/none" in said


def test_a_store_of_another_model_is_not_gone_on_with(site, capsys):
    open_site(load_config(site), site).store.close()
    about = {"student": json.dumps({"head": "clap"}), "spec_versions": '["x-1"]'}
    model = encode_weights({"w": np.zeros(3, np.float32)}, metadata=about)
    (site.parent / "initial.safetensors").write_bytes(model)
    assert "another student" in failure(site, "", capsys)
