import json

import pytest

from edge.errors import ConfigError, DatasetError
from export.extract.videos import list_videos


def lay_out(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


DATA_SET = {
    "video/train/a.avi": "",
    "video/test/b.mkv": "",
    "video/test/mute.mkv": "",
    "annotations/test_frame_labels.json": json.dumps({"b": [0, 1, 1], "ghost": [1]}),
}


def test_a_data_set_has_its_splits_and_labels(tmp_path):
    found = list_videos(lay_out(tmp_path, DATA_SET))
    assert [(str(video), video.frames) for video in found.clips] == [
        ("train/a", None),
        ("test/b", 3),
    ]
    assert [path.name for path in found.annotations] == ["test_frame_labels.json"]
    assert found.left_out == ("test/mute: no frame labels", "test/ghost: labels without a clip")


def test_labels_of_training_videos_go_with_a_data_set(tmp_path):
    files = DATA_SET | {"annotations/train_video_labels.json": '{"a": 1}'}
    names = [path.name for path in list_videos(lay_out(tmp_path, files)).annotations]
    assert names == ["test_frame_labels.json", "train_video_labels.json"]


def test_training_videos_alone_may_be_labelled(tmp_path):
    labels = {"annotations/train_video_labels.json": '{"a": 1}'}
    for name in ("video/train/a.avi", "a.avi"):
        found = list_videos(lay_out(tmp_path / name[:1], {name: ""} | labels))
        assert [str(video) for video in found.clips] == ["train/a"]
        assert [path.name for path in found.annotations] == ["train_video_labels.json"]


def test_any_other_folder_is_unlabelled_training_footage(tmp_path):
    files = dict.fromkeys(("z.mp4", "door/a.mkv", "door/.hidden.mkv", "door/notes.txt"), "")
    found = list_videos(lay_out(tmp_path, files))
    assert [str(video) for video in found.clips] == ["train/a", "train/z"]
    assert found.annotations == found.left_out == ()


def test_a_single_file_is_footage_too(tmp_path):
    (video,) = list_videos(lay_out(tmp_path, {"a.mkv": ""}) / "a.mkv").clips
    assert str(video) == "train/a"


def test_two_videos_of_one_name_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="has the same name; rename one"):
        list_videos(lay_out(tmp_path, {"a.mp4": "", "door/a.mkv": ""}))


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="holds no video"):
        list_videos(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such folder of videos"):
        list_videos(tmp_path / "nowhere")
