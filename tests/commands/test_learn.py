from collections import Counter

import pytest

from edge.commands import learn
from edge.errors import ConfigError
from edge.federation.ledger import Ledger
from edge.federation.spent import Spent, write_spent
from edge.lock import sole_user


def test_without_footage_it_fails_and_says_what_to_do(shell):
    code, out, err = shell.run("learn", "-c", shell.street())
    assert (code, out) == (1, "")
    assert "camera street: 0 stored clips" in err
    assert "let vad-edge run watch" in err


def test_a_second_learner_is_kept_out(shell):
    config = shell.street()
    with sole_user(shell.folder / "data" / "learning"):
        code, _, err = shell.run("learn", "-c", config)
    assert code == 1
    assert "is in use by another vad-edge" in err
    assert "or wait until it has trained" in err


def test_without_the_extra_it_names_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name}", name="torch")

    monkeypatch.setattr(learn.importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'vad-edge\[learn\]'"):
        learn._load("edge.learn")


def test_what_is_installed_but_cannot_be_loaded_is_told(monkeypatch):
    def broken(name):
        raise ImportError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(learn.importlib, "import_module", broken)
    with pytest.raises(ConfigError, match=r"libtorch.so: cannot open .* pip install"):
        learn._load("edge.learn")


def test_our_own_missing_module_is_no_advice_to_install():
    with pytest.raises(ModuleNotFoundError):
        learn._load("edge.no_such_module")


def test_the_first_model_needs_no_configuration(shell):
    path = shell.folder / "first.safetensors"
    code, made = shell.json("learn", "--initial", path, "--hidden", "16")
    assert code == 0
    assert made["head"] == "density"
    assert path.stat().st_size > 4 * made["parameters"]


def test_the_ledger_shows_what_left(shell):
    config = shell.street()
    code, shown = shell.json("ledger", "-c", config)
    assert code == 0
    assert (shown["totals"], shown["holdings"], shown["departures"]) == ({}, {}, [])
    assert not (shell.folder / "data" / "federation").exists()
    ledger = Ledger(shell.folder / "data" / "federation" / "ledger.sqlite")
    ledger.depart("fl-blob-1", "vad/fl/f/h/blob/x/0", 4096)
    ledger.depart("fl-join-1", "vad/fl/f/h/up/join", 300, "shares of 8 classes, noised")
    ledger.close()
    _, shown = shell.json("ledger", "-c", config)
    assert shown["totals"]["fl-blob-1"] == {"messages": 1, "size_bytes": 4096}
    assert shown["holdings"] == {"shares of 8 classes, noised": {"messages": 1, "size_bytes": 300}}
    entry, joined = shown["departures"]
    assert (entry["schema"], entry["size_bytes"]) == ("fl-blob-1", 4096)
    assert joined["holds"] == "shares of 8 classes, noised"
    _, out, _ = shell.run("ledger", "-c", config)
    assert "4096 bytes to vad/fl/f/h/blob/x/0" in out
    assert "300 bytes held shares of 8 classes, noised" in out
    assert "300 bytes to vad/fl/f/h/up/join: shares of 8 classes, noised" in out
    assert "whole footage" in out


def test_the_ledger_shows_what_privacy_was_spent(shell):
    config = shell.config(
        "host: h\n"
        "federation: {name: f, signing_key: k, aggregator_key: a, privacy: {epsilon: 8}}\n"
        "cameras: {door: {source: door.avi}}\n"
    )
    path = shell.folder / "data" / "federation" / "privacy.json"
    write_spent(path, Spent(Counter([2.0, 2.0]), Counter([2.0]), epsilon=5.25, delta=1e-5))
    _, shown = shell.json("ledger", "-c", config)
    assert shown["privacy"].pop("unit").startswith("what noise hides is this host's whole footage")
    assert shown["privacy"] == {
        "epsilon": 5.25,
        "delta": 1e-5,
        "epsilon_limit": 8.0,
        "updates": 2,
        "shares_of_classes": 1,
    }
