import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.public.labels import Label, read_categories, read_labels
from aggregator.public.prompts import CATEGORIES
from aggregator.public.videos import NORMAL
from edge.errors import ConfigError

WRITTEN = {
    0: Label(False, NORMAL),
    1: Label(True),
    "normal": Label(False, NORMAL),
    "Abnormal": Label(True),
    "fighting": Label(True, "fighting"),
    "RoadAccidents": Label(True, "road accidents"),
    "road_accidents": Label(True, "road accidents"),
}


def written(folder, labels):
    path = folder / "labels.json"
    path.write_text(json.dumps(labels))
    return path


@pytest.mark.parametrize(("word", "label"), WRITTEN.items())
def test_a_label_is_a_number_or_a_word(tmp_path, word, label):
    assert read_labels(written(tmp_path, {"a": word}), CATEGORIES) == {"a": label}


@given(frames=st.lists(st.integers(0, 1), min_size=1))
def test_a_video_with_an_abnormal_frame_is_abnormal(tmp_path_factory, frames):
    path = written(tmp_path_factory.mktemp("labels"), {"a": frames})
    assert read_labels(path, CATEGORIES)["a"].abnormal == (1 in frames)


@pytest.mark.parametrize("label", [2, -1, None, [], [0, 2], {}, "dancing", ""])
def test_what_is_no_label_is_named(tmp_path, label):
    with pytest.raises(ConfigError, match=r"a: .*no label"):
        read_labels(written(tmp_path, {"a": label}), CATEGORIES)


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_file_that_holds_no_labels_is_named(tmp_path, content):
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"labels\.json"):
        read_labels(tmp_path / "labels.json", CATEGORIES)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.json"):
        read_labels(tmp_path / "no.json", CATEGORIES)


@given(category=st.sampled_from([NORMAL, *CATEGORIES]))
def test_a_label_agrees_with_what_it_does_not_exclude(category):
    assert Label().agrees(category)
    assert Label(True).agrees(category) == (category != NORMAL)
    assert Label(False, NORMAL).agrees(category) == (category == NORMAL)
    assert Label(True, "arson").agrees(category) == (category == "arson")


def test_ucf_crime_s_own_names_are_known(tmp_path):
    names = ["Abuse", "Arrest", "Arson", "Assault", "Burglary", "Explosion", "Fighting"]
    names += ["RoadAccidents", "Robbery", "Shooting", "Shoplifting", "Stealing", "Vandalism"]
    found = read_labels(written(tmp_path, dict(zip(names, names, strict=True))), CATEGORIES)
    assert [label.category for label in found.values()] == list(CATEGORIES)


def test_categories_are_those_of_ucf_crime_or_of_a_file(tmp_path):
    assert len(read_categories(None)) == 13
    path = tmp_path / "categories"
    path.write_text("cycling: somebody rides a bicycle\n\nclimbing\n")
    found = read_categories(path)
    assert found == {"cycling": "somebody rides a bicycle", "climbing": "climbing"}


@pytest.mark.parametrize("text", ["", "\n", "normal: x", "Abnormal", ": x", "a\nA: x", "a\na"])
def test_categories_that_cannot_be_told_apart_are_refused(tmp_path, text):
    path = tmp_path / "categories"
    path.write_text(text)
    with pytest.raises(ConfigError, match="once"):
        read_categories(path)
