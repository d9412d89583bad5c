import json

import pytest

from edge.commands.report import answer, progress_bar, shown


def test_json_is_one_line_with_words_as_they_are(capsys):
    answer({"reason": "usual ≤ 1.6"}, as_json=True, text="for people")
    out = capsys.readouterr().out
    assert out == '{"reason": "usual ≤ 1.6"}\n'
    assert json.loads(out) == {"reason": "usual ≤ 1.6"}


def test_text_is_for_people(capsys):
    answer({"reason": 1}, as_json=False, text="for people")
    assert capsys.readouterr().out == "for people\n"


def test_what_is_no_number_is_never_printed_as_json():
    with pytest.raises(ValueError, match="JSON"):
        answer({"score": float("nan")}, as_json=True, text="")


def test_a_bar_is_shown_on_terminals_alone(capsys):
    with progress_bar("learning", 10, "s") as bar:
        bar.update(5)
    assert capsys.readouterr() == ("", "")


def test_what_is_shown_comes_one_after_the_other(capsys):
    assert list(shown([3, 1, 2], "scoring", "clip")) == [3, 1, 2]
    assert capsys.readouterr() == ("", "")
