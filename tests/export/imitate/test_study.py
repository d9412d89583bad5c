import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DatasetError
from export.extract.videos import Video, list_videos
from export.extract.watch import Viewing
from export.imitate.study import held_out, study
from tests.fakes.clips import RATE_HZ


class Asked:
    """A teacher that counts the pictures that it is shown."""

    width, frames, version = 2, 1, "asked"

    def __init__(self):
        self.pictures = 0

    def prepare(self, picture):
        return np.float32(np.broadcast_to(picture.mean(axis=(0, 1))[:, None, None], (3, 1, 1)))

    def embed(self, prepared):
        self.pictures += len(prepared)
        return prepared[:, 0, :2, 0, 0]


def ask(teacher, footage, work, *, clips=None, **changes):
    clips = list_videos(footage).clips[:3] if clips is None else clips
    options = dict(view="picture", viewing=Viewing(RATE_HZ), pictures=1000, seed=0) | changes
    return study(teacher, clips, work, **options)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr("export.imitate.study.LEAST_PICTURES", 1)


@given(st.integers(2, 200))
def test_some_clips_are_held_out_and_most_teach(count):
    clips = [Video(f"{k}", "train", f"{k}.mkv") for k in range(count)]
    judging = held_out(clips)
    assert 1 <= len(judging) <= max(1, 0.2 * count)
    assert clips[0] not in judging


@pytest.mark.usefixtures("few")
def test_the_teacher_is_asked_once_about_what_it_was_shown(clips, tmp_path):
    teacher = Asked()
    learnt, judged = ask(teacher, clips, tmp_path)
    assert (len(learnt), len(judged)) == (2 * 30, 15)  # the held-out clip is not shaken
    assert teacher.pictures == 75
    means = [picture.mean(axis=(0, 1))[:2] for picture in learnt.pictures]
    assert np.allclose(means, learnt.embeddings)
    again, _ = ask(teacher, clips, tmp_path)
    assert teacher.pictures == 75
    assert np.array_equal(again.embeddings, learnt.embeddings)


@pytest.mark.usefixtures("few")
def test_only_the_clip_that_was_lost_is_asked_about_again(clips, tmp_path):
    teacher = Asked()
    ask(teacher, clips, tmp_path)
    (tmp_path / "lessons" / "n0.safetensors").unlink()
    ask(teacher, clips, tmp_path)
    assert teacher.pictures == 75 + 30


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"pictures": 9}, {"viewing": Viewing(5.0)}, {"view": "objects"}]
)
def test_another_study_does_not_go_on_with_this_one(clips, tmp_path, change):
    ask(Asked(), clips, tmp_path)
    with pytest.raises(DatasetError, match="name another --work"):
        ask(Asked(), clips, tmp_path, **change)


@pytest.mark.usefixtures("few")
def test_a_clip_that_cannot_be_read_is_named_and_left_out(clips, tmp_path, capsys):
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(b"no video")
    both = [*list_videos(clips).clips[:3], Video("torn", "train", torn)]
    learnt, judged = ask(Asked(), clips, tmp_path / "w", clips=both)
    assert len(learnt) + len(judged) == 75
    assert "torn.mkv" in capsys.readouterr().err
    torn.write_bytes((clips / "video" / "train" / "n0.mkv").read_bytes())
    learnt, judged = ask(Asked(), clips, tmp_path / "w", clips=both)  # as soon as it is mended
    assert len(learnt) + len(judged) > 75


def test_too_little_footage_is_refused(clips, tmp_path):
    with pytest.raises(DatasetError, match="30 pictures to learn from and 15 to judge by"):
        ask(Asked(), clips, tmp_path, pictures=45)
    with pytest.raises(DatasetError, match="give two videos"):
        ask(Asked(), clips, tmp_path, clips=[list_videos(clips).clips[0]])
