import json

import numpy as np
import pytest

from edge.errors import DatasetError, StorageError
from edge.evaluation.feature_folder import read_features
from export.extract.shelf import Shelf, check_neighbours
from export.extract.videos import END_BYTES, Video, Videos

FOOTAGE = {"analysis_hz": 10.0, "max_width_px": 640}
FACTS = {"footage": FOOTAGE, "spec_versions": ["a-1"]}


@pytest.fixture
def video(tmp_path_factory):
    """Clips of some bytes, by name."""
    folder = tmp_path_factory.mktemp("footage")

    def make(name, split="train"):
        path = folder / f"{name}.mkv"
        path.write_bytes(name.encode())
        return Video(name, split, path)

    return make


def rows(count=3):
    return np.ones((count, 4), np.float32)


def declared(folder):
    return json.loads((folder / "dataset.json").read_bytes())


def test_what_is_put_is_there_for_whoever_opens_it_again(tmp_path, video):
    shelf = Shelf(tmp_path, "embedding", FACTS)
    shelf.begin([])
    assert not shelf.holds(video("a"))
    shelf.put(video("a"), rows(), 16)
    again = Shelf(tmp_path, "embedding", FACTS)
    assert again.holds(video("a"))
    assert not again.holds(video("a", "test"))


def test_it_is_a_feature_folder(tmp_path, video):
    labels = tmp_path / "test_frame_labels.json"
    labels.write_text(json.dumps({"b": [0] * 40 + [1] * 8}))
    shelf = Shelf(tmp_path / "out", "descriptor", FACTS)
    shelf.begin([labels])
    shelf.put(video("a"), rows(5), 16)
    shelf.put(video("b", "test"), rows(3), 16)
    folder = read_features(tmp_path / "out")
    assert (folder.kind, folder.segment_frames, folder.left_out) == ("descriptor", 16, ())
    assert folder.starts("b").tolist() == [0, 16, 32]


@pytest.mark.parametrize("order", [(16, 32, 16), (16, None), (None, 16), (32, 16, 32)])
def test_a_length_that_varies_is_not_declared_and_stays_so(tmp_path, video, order):
    for k, frames in enumerate(order):  # opened anew for each, as after a kill
        shelf = Shelf(tmp_path, "embedding", FACTS)
        shelf.begin([])
        shelf.put(video(f"{k}"), rows(), frames)
    assert declared(tmp_path) == {"kind": "embedding"}


@pytest.mark.parametrize("damage", ["another", "longer", "mark"])
def test_a_clip_of_other_footage_is_refused(tmp_path, video, damage):
    one = video("a")
    shelf = Shelf(tmp_path, "embedding", FACTS)
    shelf.put(one, rows(), 16)
    shelf.check(Videos((one, video("b"))))
    if damage == "mark":
        (tmp_path / "footage" / "train" / "a.sha256").unlink()
    else:
        one.path.write_bytes(b"b" if damage == "another" else b"aa")
    with pytest.raises(DatasetError, match=r"a\.npy: was made of other footage"):
        shelf.check(Videos((one,)))


def test_footage_is_known_by_its_length_and_both_ends(tmp_path):
    def mark(content):
        path = tmp_path / "v.mkv"
        path.write_bytes(content)
        return Video("v", "train", path).fingerprint()

    long = bytes(3 * END_BYTES)
    same = {
        mark(long),
        mark(b"x" + long[1:]),
        mark(long[:-1] + b"x"),
        mark(long + b"\0"),
        mark(b""),
    }
    assert len(same) == 5
    assert mark(long) == mark(long)
    with pytest.raises(DatasetError, match="cannot be read"):
        Video("v", "train", tmp_path / "nowhere").fingerprint()


@pytest.mark.parametrize("other", [{"spec_versions": ["a-2"]}, {"footage": {"analysis_hz": 5.0}}])
def test_features_made_otherwise_are_never_mixed(tmp_path, other):
    Shelf(tmp_path, "embedding", FACTS).begin([])
    with pytest.raises(DatasetError, match=r"made otherwise: .* name another --out"):
        Shelf(tmp_path, "embedding", FACTS | other)


def test_features_that_say_nothing_of_themselves_are_not_added_to(tmp_path):
    (tmp_path / "features").mkdir()
    with pytest.raises(DatasetError, match="says how its features were made"):
        Shelf(tmp_path, "embedding", FACTS)


def test_a_record_that_does_not_parse_is_refused(tmp_path):
    (tmp_path / "extract.json").write_text("[1]")
    with pytest.raises(DatasetError, match="must be a JSON object"):
        Shelf(tmp_path, "embedding", FACTS)
    (tmp_path / "extract.json").write_text("{")
    with pytest.raises(DatasetError, match="cannot be read as JSON"):
        Shelf(tmp_path, "embedding", FACTS)


def test_neighbours_of_footage_seen_otherwise_are_refused(tmp_path):
    Shelf(tmp_path / "clip", "embedding", FACTS).begin([])
    check_neighbours(tmp_path, FOOTAGE, ["s3d"])
    with pytest.raises(DatasetError, match="clip: made of footage seen as"):
        check_neighbours(tmp_path, FOOTAGE | {"analysis_hz": 5.0}, ["s3d"])


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StorageError):
        Shelf(tmp_path / "out" / "clip", "embedding", FACTS).begin([])
