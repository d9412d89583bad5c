import json

import cv2
import numpy as np
import pytest

from aggregator.simulate.channel import Terms
from aggregator.simulate.plot import draw_rounds, write_plots, write_sweep
from aggregator.simulate.recipes import TRACKS_CLAP
from aggregator.simulate.run import Job, Round, Run
from aggregator.simulate.table import as_text, rows_of


def run(method: str, seed: int, aucs: list[float], share: float = 0.0, refused=()) -> Run:
    rounds = [
        Round(
            number, {"auc_micro_causal": auc, "auc_of/a": auc}, 100.0, tuple(refused), {0: ("a",)}
        )
        for number, auc in enumerate(aucs, 1)
    ]
    return Run(Job(method, seed, share, TRACKS_CLAP, Terms()), 13, 1000, tuple(rounds))


def test_the_last_round_counts_not_the_best():
    (row,) = rows_of("normal", [run("fedavg", 0, [0.5, 0.9, 0.6]), run("fedavg", 1, [0.5, 1, 0.8])])
    figure = row.figures["auc_micro_causal"]
    assert figure.mean == pytest.approx(0.7)
    assert figure.sd == pytest.approx(np.std([0.6, 0.8], ddof=1))
    assert [each["auc_micro_causal"].mean for each in row.per_round] == pytest.approx(
        [0.5, 0.95, 0.7]
    )


def test_rows_keep_methods_and_shares_apart_in_their_order():
    runs = [run(m, s, [0.5], share) for share in (0.0, 1.0) for m in ("b", "a") for s in (0, 1)]
    rows = rows_of("partial", runs)
    assert [(row.labelled_share, row.method, row.seeds) for row in rows] == [
        (0.0, "b", 2),
        (0.0, "a", 2),
        (1.0, "b", 2),
        (1.0, "a", 2),
    ]


def test_what_is_not_defined_is_null_in_json_and_a_dash_in_text():
    rows = rows_of("normal", [run("local", 0, [float("nan")], refused=("a: why", "a: why"))])
    content = json.loads(json.dumps([row.as_json() for row in rows], allow_nan=False))
    assert content[0]["auc_micro_causal"] == {"mean": None, "sd": 0.0}
    assert content[0]["refused"] == ["a: why"]
    text = as_text("features", rows, ["x: no labels"])
    assert " - " in text
    assert "left out: x: no labels" in text
    assert "refused: a: why" in text


def test_a_figure_that_a_data_set_does_not_have_is_blank():
    (row,) = rows_of("normal", [run("local", 0, [0.5])])
    heading, line = as_text("features", [row], []).splitlines()[1:3]
    end = heading.index("student micro") + len("student micro")
    assert line[end - len("student micro") : end].strip() == ""
    assert "auc_student_micro_causal" not in row.as_json()


def test_a_picture_for_every_share_of_labels(tmp_path):
    rows = rows_of("partial", [run("a", 0, [0.5, 0.7], s) for s in (0.0, 1.0)])
    paths = write_plots(tmp_path / "plots", "features", rows)
    assert [path.name for path in paths] == ["features-partial.png", "features-partial-1.png"]
    assert all(cv2.imread(str(path)) is not None for path in paths)


def test_curves_differ_where_figures_do():
    better = rows_of("normal", [run("a", 0, [0.5, 0.9])])
    worse = rows_of("normal", [run("a", 0, [0.5, 0.55])])
    assert (draw_rounds(better, "t") != draw_rounds(worse, "t")).any()
    draw_rounds(rows_of("normal", [run("a", 0, [float("nan")])]), "one round, nothing defined")


def test_participants_figures_and_clusters_stand_together():
    (row,) = rows_of("normal", [run("fvcc", s, [0.5, 0.25 * s]) for s in (1, 3)])
    content = row.as_json()
    assert content["auc_by_participant"] == {"a": {"mean": 0.5, "sd": pytest.approx(0.5 / 2**0.5)}}
    assert content["clusters"] == [{"0": ["a"]}, {"0": ["a"]}]
    assert content["judged"] == [1, 2]
    assert not any(name.startswith("auc_of") for name in content)


def test_bytes_are_those_of_all_rounds_judged_or_not():
    rounds = (
        Round(5, {"auc_micro_causal": 0.5}, 500.0, ()),
        Round(6, {"auc_micro_causal": 0.5}, 100.0, ()),
    )
    (row,) = rows_of("normal", [Run(Job("fedavg", 0, 0.0, TRACKS_CLAP, Terms()), 2, 10, rounds)])
    assert row.bytes_up_per_round == 100.0


def test_a_sweep_is_one_picture(tmp_path):
    tables = [rows_of("normal", [run(m, 0, [auc]) for m in "ab"]) for auc in (0.5, 0.7, 0.6)]
    path = write_sweep(tmp_path, "streets", "fvcc.num_clusters", [2, 3, 4], tables)
    assert path.name == "streets-normal-by-fvcc.num_clusters.png"
    assert cv2.imread(str(path)) is not None
