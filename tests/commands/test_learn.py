import pytest

from edge.commands import learn
from edge.errors import ConfigError
from edge.federation.ledger import Ledger
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
    assert (code, shown) == (0, {"totals": {}, "departures": []})
    assert not (shell.folder / "data" / "federation").exists()
    ledger = Ledger(shell.folder / "data" / "federation" / "ledger.sqlite")
    ledger.depart("fl-blob-1", "vad/fl/f/h/blob/x/0", 4096)
    ledger.close()
    _, shown = shell.json("ledger", "-c", config)
    assert shown["totals"] == {"fl-blob-1": {"messages": 1, "size_bytes": 4096}}
    (entry,) = shown["departures"]
    assert (entry["schema"], entry["size_bytes"]) == ("fl-blob-1", 4096)
    _, out, _ = shell.run("ledger", "-c", config)
    assert "4096 bytes to vad/fl/f/h/blob/x/0" in out
