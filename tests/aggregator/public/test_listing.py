from pathlib import Path

import pytest

from aggregator.public.folder import Entry
from aggregator.public.labels import Label
from aggregator.public.listing import camera_of, check_names, digest, list_videos
from edge.errors import ConfigError, DatasetError


def touch(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_all_videos_in_and_under_a_folder_are_found(tmp_path):
    wanted = [touch(tmp_path / "a" / "x.MP4"), touch(tmp_path / "b" / "c" / "y.webm")]
    for other in ("x.txt", "labels.json", ".hidden.mp4"):
        touch(tmp_path / other)
    (tmp_path / "folder.mp4").mkdir()
    assert list_videos(tmp_path) == wanted
    assert list_videos(wanted[0]) == wanted[:1]


def test_a_folder_without_videos_and_two_of_a_name_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="holds no video"):
        list_videos(tmp_path)
    touch(tmp_path / "a" / "x.mp4")
    touch(tmp_path / "b" / "x.avi")
    with pytest.raises(DatasetError, match="same name"):
        list_videos(tmp_path)
    with pytest.raises(ConfigError, match="check the path"):
        list_videos(tmp_path / "c")


def test_a_camera_is_a_folder_or_a_video():
    paths = [Path("/v/a/1.mp4"), Path("/v/a/2.mp4"), Path("/v/b/3.mp4")]
    assert len({camera_of(path, "folder") for path in paths}) == 2
    assert len({camera_of(path, "video") for path in paths}) == 3


def test_a_name_belongs_to_one_video_until_it_is_gone(tmp_path):
    present = touch(tmp_path / "old" / "x.mp4", b"old")
    entry = Entry("x", str(present), digest(present), "c", Label(), "ready")
    same = touch(tmp_path / "copy" / "x.mp4", b"old")
    other = touch(tmp_path / "new" / "x.mp4", b"new")
    check_names([present, same, touch(tmp_path / "y.mp4")], [entry])
    with pytest.raises(DatasetError, match="rename one"):
        check_names([other], [entry])
    present.unlink()
    check_names([other], [entry])
