import pytest

from edge.errors import ConfigError
from export.words.actions import read_actions


def test_the_default_is_the_400_of_kinetics():
    actions = read_actions(None)
    assert len(actions) == len(set(actions)) == 400
    assert {"riding a bike", "jogging", "walking the dog", "zumba"} <= set(actions)
    assert all(action == action.strip().lower() for action in actions)


def test_any_list_is_read_line_by_line(tmp_path):
    (tmp_path / "list").write_text("\ufeffwalking\n\n  läuft \r\nwalking\n走る\n", encoding="utf-8")
    assert read_actions(tmp_path / "list") == ("walking", "läuft", "走る")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\xfd", b"x" * 400])
def test_what_is_no_list_is_refused(tmp_path, content):
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(ConfigError):
        read_actions(tmp_path / "list")


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere"):
        read_actions(tmp_path / "nowhere")
