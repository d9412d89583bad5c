from functools import partial
from pathlib import Path

import cv2
import pytest

from edge.analysis import LearningPlan
from edge.commands import demo
from edge.ingest.synthetic.street import StreetOptions
from edge.ingest.synthetic.world import Planted
from edge.scoring.model import ScoringOptions

FIGURES = {"learnt_s", "watched_s", "planted", "threshold", "alerts", "picture"}
ALERT = {"after_s", "label", "score", "reason", "picture"}
LEARN_S = 60.0
# a minute teaches little: a threshold that a cyclist exceeds takes a generous budget
PLAN = LearningPlan(period_s=LEARN_S, alarms_per_day=2000.0, options=ScoringOptions(size=200))


@pytest.fixture
def short(monkeypatch):
    small = partial(StreetOptions, width_px=240, height_px=136)
    monkeypatch.setattr(demo, "StreetOptions", small)
    monkeypatch.setattr(demo, "FPS", 5.0)
    monkeypatch.setattr(demo, "LEARN_S", LEARN_S)
    monkeypatch.setattr(demo, "WATCH_S", 10.0)
    monkeypatch.setattr(demo, "PLANTED", (Planted("cycling", LEARN_S + 2),))
    monkeypatch.setattr(demo, "PLAN", PLAN)


@pytest.mark.usefixtures("short")
def test_it_shows_what_was_planted_and_a_picture_of_each_alert(shell):
    code, figures = shell.json("demo", "--out", shell.folder / "demo")
    assert code == 0
    assert set(figures) == FIGURES
    assert figures["planted"] == [{"what": "cycling", "after_s": 2.0}]
    assert cv2.imread(figures["picture"]).std() > 1
    assert figures["alerts"]
    for alert in figures["alerts"]:
        assert set(alert) == ALERT
        assert alert["score"] >= figures["threshold"]
        assert "usual" in alert["reason"]
        assert Path(alert["picture"]).is_file()
    assert any(2 <= alert["after_s"] <= 8 for alert in figures["alerts"])
