import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.evaluation.figures import ClipScores
from edge.evaluation.report import ScoredClip, make_report

TABLE = {"micro": {"causal", "smoothed"}, "macro": {"causal", "smoothed"}}
KEYS = {
    "dataset", "auc", "auc_per_camera", "baselines", "average_precision", "equal_error_rate",
    "events", "fps", "frame_hz", "clips", "left_out",
}  # fmt: skip
EVENTS = {"events", "alarms", "precision", "recall", "delay_s", "false_alarms_per_hour"}


def scored(name="a", labels=(0, 0, 1, 1), scores=(0, 1, 3, 2), camera="gate", threshold=2.5):
    labels, scores = np.array(labels, bool), np.array(scores, np.float64)
    return ScoredClip(
        name=name,
        camera=camera,
        clip=ClipScores(labels, scores),
        baselines={"trivial": ClipScores(labels, -scores)},
        threshold=threshold,
        analysed=len(labels),
        elapsed_s=0.5,
    )


def shape(table):
    return {kind: set(ways) for kind, ways in table.items()}


def leaves(value):
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def test_the_json_has_exactly_this_shape():
    report = make_report("ped2", [scored(), scored("b")], left_out=["c: no labels"], hz=10)
    content = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert set(content) == KEYS
    assert shape(content["auc"]) == TABLE
    assert {name: shape(table) for name, table in content["baselines"].items()} == {
        "trivial": TABLE
    }
    assert set(content["events"]) == EVENTS
    assert content["auc"]["micro"]["causal"] == 1
    assert content["baselines"]["trivial"]["micro"]["causal"] == 0
    assert content["auc_per_camera"] == {"gate": 1}
    assert content["dataset"] == "ped2"
    assert content["clips"] == ["a", "b"]
    assert content["left_out"] == ["c: no labels"]
    assert content["fps"] == pytest.approx(8)
    assert content["frame_hz"] == 10


frames = st.tuples(st.booleans(), st.floats(0, 9, allow_subnormal=False))


@given(st.lists(st.lists(frames, min_size=1, max_size=12), min_size=1, max_size=3))
def test_every_number_is_finite_or_null(clips):
    each = [scored(str(k), *zip(*clip, strict=True)) for k, clip in enumerate(clips)]
    report = make_report("ped2", each, left_out=[], hz=10)
    found = list(leaves(report.as_json()))
    assert all(value is None or isinstance(value, str) or math.isfinite(value) for value in found)
    for value in leaves(report.as_json()["auc"]):
        assert value is None or 0 <= value <= 1
    assert report.as_text()


def test_what_is_not_defined_is_null():
    normal = make_report("ped2", [scored(labels=(0, 0, 0, 0))], left_out=[], hz=10).as_json()
    assert normal["auc"]["micro"] == {"causal": None, "smoothed": None}
    assert normal["average_precision"] is None
    assert normal["equal_error_rate"] is None
    assert normal["events"]["recall"] is None
    assert normal["auc"]["macro"]["causal"] is not None


def test_cameras_are_told_apart_and_have_thresholds_of_their_own():
    one = scored("a", camera="1", threshold=2.5)
    other = scored("b", labels=(1, 1, 0, 0), camera="2", threshold=9)
    report = make_report("x", [one, other], left_out=[], hz=10)
    assert report.auc_per_camera == {"1": 1, "2": 0}
    assert (report.events.events, report.events.alarms) == (2, 1)


def test_the_text_names_the_figures_and_the_conventions():
    text = make_report("ped2", [scored()], left_out=["c: no labels"], hz=10).as_text()
    assert "ped2: 1 clips" in text
    assert "trivial" in text
    assert "100.00" in text
    assert "left out: c: no labels" in text
    assert "looks ahead" in text
    assert "false alarms per camera-hour" in text
