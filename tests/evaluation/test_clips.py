import json

import numpy as np
import pytest

from edge.domain.frame import Frame
from edge.errors import DatasetError
from edge.evaluation.clips import read_clips


def lay_out(root, *, train=("a.avi",), test=("b.mkv",), labels='{"b": [0, 1, 1]}'):
    for split, names in (("train", train), ("test", test)):
        folder = root / "video" / split
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    (root / "annotations").mkdir()
    (root / "annotations" / "test_frame_labels.json").write_text(labels, encoding="utf-8")
    return root


def frames_of(count):
    planes = np.zeros((6, 4), np.uint8)
    return lambda _path: iter([Frame("c", k, float(k), 0.0, planes) for k in range(count)])


def test_clips_are_listed_by_name_with_their_labels(tmp_path):
    data = read_clips(lay_out(tmp_path, train=("z.mp4", "a.avi")))
    assert [clip.name for clip in data.train] == ["a", "z"]
    assert [clip.labels for clip in data.train] == [None, None]
    assert data.test[0].labels.tolist() == [False, True, True]


def test_what_has_no_counterpart_is_left_out_and_listed(tmp_path):
    labels = json.dumps({"b": [0], "ghost": [1]})
    data = read_clips(lay_out(tmp_path, test=("b.mkv", "mute.mkv", "notes.txt"), labels=labels))
    assert [clip.name for clip in data.test] == ["b"]
    assert data.without_labels == ("mute",)
    assert data.without_clip == ("ghost",)


def test_as_many_frames_as_labels_are_read(tmp_path):
    clip = read_clips(lay_out(tmp_path)).test[0]
    assert len(list(clip.frames(frames_of(3)))) == 3


@pytest.mark.parametrize("count", [0, 2, 4, 40])
def test_another_number_of_frames_is_an_error(tmp_path, count):
    clip = read_clips(lay_out(tmp_path)).test[0]
    with pytest.raises(DatasetError, match=r"b\.mkv: .* frames, but 3 labels"):
        list(clip.frames(frames_of(count)))


def test_a_train_clip_may_have_any_length(tmp_path):
    clip = read_clips(lay_out(tmp_path)).train[0]
    assert len(list(clip.frames(frames_of(7)))) == 7


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": ()}, "no clip in it; expected video/train"),
        ({"labels": "{"}, "no JSON"),
        ({"labels": "[]"}, "must be an object"),
        ({"labels": '{"b": [0, 2]}'}, "b must be a list of 0"),
        ({"labels": '{"b": "01"}'}, "b must be a list of 0"),
        ({"labels": '{"B": [0]}'}, "no test clip has labels"),
        ({"test": ("b.avi", "b.mkv")}, "has the same name"),
    ],
)
def test_another_layout_is_refused_in_words(tmp_path, change, says):
    with pytest.raises(DatasetError, match=says):
        read_clips(lay_out(tmp_path, **change))


def test_an_absent_folder_is_refused_with_the_layout(tmp_path):
    with pytest.raises(DatasetError, match=r"no such folder; expected video/train"):
        read_clips(tmp_path / "nowhere")


def test_real_clips_are_found(vad_data):
    data = read_clips(vad_data / "data" / "ped2")
    assert (len(data.train), len(data.test)) == (16, 12)
    assert sum(int(clip.labels.sum()) for clip in data.test) == 1648
    assert data.without_labels == data.without_clip == ()
