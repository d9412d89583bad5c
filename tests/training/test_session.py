import pytest

from edge.training.outcome import Outcome, load_outcome, save_outcome
from edge.training.session import LONGEST_S, Session

NOW_S = 1e9


def test_an_interrupted_training_goes_on_with_the_footage_it_began_with(tmp_path):
    began = Session.resumed(tmp_path / "s", now_s=NOW_S)
    (began.folder / "stage-0.safetensors").write_bytes(b"half way")
    resumed = Session.resumed(tmp_path / "s", now_s=NOW_S + 100)
    assert resumed == began
    assert (resumed.folder / "stage-0.safetensors").exists()


@pytest.mark.parametrize("later_s", [LONGEST_S + 1, -1.0])
def test_one_of_another_age_is_begun_anew(tmp_path, later_s):
    (Session.resumed(tmp_path / "s", now_s=NOW_S).folder / "stage-0.safetensors").touch()
    anew = Session.resumed(tmp_path / "s", now_s=NOW_S + later_s)
    assert anew.until_s == NOW_S + later_s
    assert not (anew.folder / "stage-0.safetensors").exists()


@pytest.mark.parametrize("notes", ["", "{}", "[]", '{"until_s": "x"}', '{"until_s": NaN}'])
def test_damaged_notes_are_begun_anew(tmp_path, notes):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "session.json").write_text(notes)
    assert Session.resumed(tmp_path / "s", now_s=NOW_S).until_s == NOW_S


def test_after_its_end_the_next_begins_anew(tmp_path):
    Session.resumed(tmp_path / "s", now_s=NOW_S).finish()
    assert Session.resumed(tmp_path / "s", now_s=NOW_S + 1).until_s == NOW_S + 1


def test_an_outcome_is_read_back(tmp_path):
    outcome = Outcome(NOW_S, "refused", "too loud")
    save_outcome(tmp_path / "o.json", outcome)
    assert load_outcome(tmp_path / "o.json") == outcome


@pytest.mark.parametrize(
    "content",
    ["", "null", "[1]", '{"time_s": 1.0}', '{"time_s": 1.0, "result": "won", "text": ""}'],
)
def test_an_outcome_that_cannot_be_read_is_none(tmp_path, content):
    (tmp_path / "o.json").write_text(content)
    assert load_outcome(tmp_path / "o.json") is None
    assert load_outcome(tmp_path / "nothing") is None
