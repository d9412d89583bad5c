from pathlib import Path

import pytest

from edge.commands import demo
from edge.ingest.synthetic.world import Planted

FIGURES = {"learnt_s", "watched_s", "planted", "threshold", "alerts", "picture"}
ALERT = {"after_s", "label", "score", "reason", "picture"}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(demo, "LEARN_S", 60.0)
    monkeypatch.setattr(demo, "WATCH_S", 10.0)
    monkeypatch.setattr(demo, "PLANTED", (Planted("running", 62.0),))


@pytest.mark.usefixtures("short")
def test_it_shows_what_was_planted_and_a_picture(shell):
    code, figures = shell.json("demo", "--out", shell.folder / "demo")
    assert code == 0
    assert set(figures) == FIGURES
    assert figures["planted"] == [{"what": "running", "after_s": 2.0}]
    assert Path(figures["picture"]).is_file()
    assert all(set(alert) == ALERT for alert in figures["alerts"])
    assert all(Path(alert["picture"]).is_file() for alert in figures["alerts"])
