"""A public set is read as hosts would have prepared its rows."""

from dataclasses import replace

import numpy as np
import pytest

from aggregator.public.folder import Entry, Part, PublicFolder
from aggregator.public.labels import Label
from aggregator.public.reading import read_public, shares_of
from edge.errors import DatasetError, FeatureVersionError
from edge.scoring.learn import LEAST_ROWS
from edge.scoring.standardise import Standardiser
from edge.scoring.student import INPUTS, input_spec

HEAD = "density"
SPEC = input_spec(HEAD)
SEEN = {"spec_versions": [spec.spec_version for spec in INPUTS[HEAD]]}
MADE_OF = {"head": HEAD, "seen": SEEN, "visual": None, "texts": "hashed"}


@pytest.fixture
def folder(tmp_path):
    made = PublicFolder(tmp_path)
    made.begin(("car", "person", "other"))
    return made


def put(folder, name, *, rows=LEAST_ROWS, camera="c", label=Label(), visual=None, **changes):  # noqa: B008 - frozen
    rng = np.random.default_rng(sum(name.encode()))
    values = rng.uniform(0.1, 3, (rows, len(SPEC))).astype(np.float32)
    place = rng.uniform(0, 1, (rows, 2)).astype(np.float32)
    frame = np.arange(rows)
    objects = {"person": 3, "dog": 1}
    parts = {
        "seen": Part({"values": values, "place": place, "frame": frame}, {"objects": objects}),
        "text": Part({"text": np.ones(2, np.float32)}),
    }
    if visual is not None:
        parts["visual"] = Part(visual)
    for kind, part in parts.items():
        folder.part(name, kind, "key", lambda part=part: part)
    entry = Entry(
        name,
        f"/v/{name}.mp4",
        "sha",
        camera,
        label,
        "ready",
        made_of=MADE_OF,
        keys=dict.fromkeys(parts, "key"),
    )
    folder.put(replace(entry, **changes))
    return values, place


def usual(*rows):
    values, places = zip(*rows, strict=True)
    return Standardiser.fit(SPEC, np.concatenate(values), np.concatenate(places))


def read(folder):
    return {video.name: video for video in read_public(folder.path).videos}


def test_rows_are_compared_with_the_camera_s_videos_that_are_not_abnormal(folder):
    a, b = put(folder, "a"), put(folder, "b", label=Label(False, "normal"))
    odd = put(folder, "odd", label=Label(True))
    elsewhere = put(folder, "elsewhere", camera="d")
    found = read(folder)
    for name, rows in (("a", a), ("odd", odd)):
        assert np.array_equal(found[name].values, usual(a, b).apply(*rows))
    assert np.array_equal(found["elsewhere"].values, usual(elsewhere).apply(*elsewhere))


def test_a_camera_of_which_little_is_known_is_compared_with_more(folder):
    quiet = put(folder, "quiet", rows=LEAST_ROWS - 1)
    odd = put(folder, "odd", label=Label(True))
    short = put(folder, "short", rows=3, camera="d")
    found = read(folder)
    assert np.array_equal(found["quiet"].values, usual(odd, quiet).apply(*quiet))
    assert np.array_equal(found["short"].values, usual(odd, quiet, short).apply(*short))


def test_what_a_video_is_comes_back(folder):
    put(folder, "a", label=Label(True), category="arson", caption="fire")
    video = read(folder)["a"]
    assert (video.abnormal, video.category, video.caption) == (True, "arson", "fire")
    assert video.objects.tolist() == [0, 0.75, 0.25]
    assert video.visual is video.values
    assert video.text.tolist() == [1, 1]


def test_objects_of_no_class_count_only_where_there_is_a_class_for_them():
    assert shares_of({"person": 1, "dog": 3}, ("person", "car")).tolist() == [1, 0]
    assert shares_of({"dog": 3}, ("person", "car")).tolist() == [0, 0]
    assert shares_of({}, ()).shape == (0,)


def test_each_row_gets_what_the_visual_network_saw_then(folder):
    views = {"visual": np.array([[1], [2]], np.float32), "frame": np.array([15, 31])}
    put(folder, "a", visual=views)
    seen = read(folder)["a"].visual[:, 0]
    assert seen.tolist() == [1] * 16 + [2] * (LEAST_ROWS - 16)


def test_what_is_not_ready_is_not_read(folder):
    put(folder, "a")
    put(folder, "b", state="dropped", made_of={}, keys={})
    assert list(read(folder)) == ["a"]
    assert [entry.name for entry in folder.entries()] == ["a", "b"]


def test_an_empty_set_is_one(folder):
    assert read_public(folder.path).videos == ()


def test_videos_that_were_made_otherwise_are_not_mixed(folder):
    put(folder, "a")
    put(folder, "b", made_of=MADE_OF | {"texts": "words"})
    with pytest.raises(DatasetError, match="b made otherwise than a"):
        read(folder)


def test_features_of_another_version_are_refused(folder):
    put(folder, "a", made_of=MADE_OF | {"seen": {"spec_versions": ["old-1"]}})
    with pytest.raises(FeatureVersionError, match="old-1"):
        read(folder)


def test_a_part_that_is_being_made_anew_is_named(folder):
    put(folder, "a")
    folder.part("a", "seen", "new key", lambda: Part({}))
    with pytest.raises(DatasetError, match="a: its seen part"):
        read(folder)


def test_a_folder_without_a_set_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match="public add"):
        read_public(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"label": 1}', b"\xff"])
def test_a_damaged_record_is_named(folder, content):
    put(folder, "a")
    path = folder.path / "videos" / "a" / "video.json"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="damaged"):
        read(folder)
