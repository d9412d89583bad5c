from dataclasses import replace

import pytest

from export.dakd.options import TABLES, DistilOptions
from tests.export.dakd.toy import toy

pytest.importorskip("torch")
ablation_room = pytest.importorskip("export.dakd.ablation")
network_room = pytest.importorskip("export.dakd.network")
Ablation, make_rows = ablation_room.Ablation, ablation_room.make_rows
mean_and_spread, NetworkSpec = ablation_room.mean_and_spread, network_room.NetworkSpec

FEATURES = toy(train=8, test=4)
SIZES = {"hidden": 16, "attention_heads": 2, "reach": 3}
TEACHER = NetworkSpec(FEATURES.widths, **SIZES)
STUDENT = NetworkSpec(FEATURES.of("b").widths, **SIZES)
OPTIONS = DistilOptions(epochs=1, contrast_width=8)


def rows(*tables):
    return make_rows(tables, TEACHER, STUDENT, OPTIONS)


def test_the_tables_have_the_rows_of_the_paper():
    assert {row.name for row in rows("modules")} == {
        *("mtn", "multihead", "lstm", "rnn", "disentangled", "gru", "cnn", "complete")
    }
    names = {row.name for row in rows("losses", "smoothing")}
    assert names > {
        *("baseline", "without TAM", "without L_nce", "without L_bce"),
        *("without min-max", "without moving average", "undistilled", "complete"),
    }
    assert len(rows("attention")) == 4 + 4 + 1
    assert [row.name for row in rows("method")] == ["complete"]


def test_every_row_but_the_last_differs_from_the_complete_method():
    for table in TABLES:
        *changed, complete = rows(table)
        assert (complete.teacher, complete.student, complete.options) == (
            TEACHER,
            STUDENT,
            OPTIONS,
        )
        assert all(replace(row, name=complete.name) != complete for row in changed)
        assert len({replace(row, name="") for row in rows(table)}) == len(rows(table))


def test_a_student_of_one_backbone_keeps_its_attention_where_the_cross_term_goes():
    named = {row.name: row for row in rows("attention")}
    without = named["without cross"]
    assert "cross" not in without.teacher.components
    assert set(without.student.components) == {*without.teacher.components}
    assert named["cross alone"].student.components == ("self",)
    assert named["self alone"].teacher.components == ("self",)


def test_every_row_can_be_trained():
    ablation = Ablation(FEATURES, "b", window=4)
    asked = rows(*TABLES)
    outcomes = list(ablation.outcomes(asked, [0]))
    assert [outcome.row for outcome in outcomes] == asked
    alone = {"baseline", "undistilled"}
    assert {o.row.name for o in outcomes if o.teacher is None} == alone
    complete = {o.student for o in outcomes if o.row.name == "complete"}
    assert len(complete) == 1


def test_what_rows_share_is_trained_once(monkeypatch):
    counts = {"train_teacher": 0, "train_student": 0}
    for name in counts:
        whole = getattr(ablation_room, name)

        def counted(*args, _name=name, _whole=whole, **kwargs):
            counts[_name] += 1
            return _whole(*args, **kwargs)

        monkeypatch.setattr(ablation_room, name, counted)
    ablation = Ablation(FEATURES, "b", window=4)
    list(ablation.outcomes(rows("losses", "smoothing"), [0, 1]))
    # seeds times: the complete teacher and the one without a temporal part; and 6 + 3 students
    assert counts == {"train_teacher": 2 * 2, "train_student": 2 * 9}


def test_mean_and_spread():
    assert mean_and_spread([0.5]) == (0.5, 0.0)
    assert mean_and_spread([1.0, 2.0, 3.0]) == pytest.approx((2.0, 1.0))
