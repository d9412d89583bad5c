"""``vad-export extract`` from the command line to feature folders."""

import json
import shutil

import numpy as np
import pytest

import export.commands.extract as command
from edge.evaluation.feature_folder import read_features
from export.cli import main
from tests.fakes.backbones import tiny_backbone
from tests.fakes.clips import RATE_HZ, write_clips
from tests.perception.conftest import build_network  # noqa: F401  # a fixture


@pytest.fixture
def extract(clips, backbones, tmp_path, capsys):
    """Runs the command; gives its exit code, its answer and what it said."""

    def run(*more, videos=clips, names=("still", "moving", "descriptors"), view="objects"):
        given = [str(backbones.get(name, name)) for name in names]
        where = ["--videos", str(videos), "--out", str(tmp_path / "out"), "--backbones", *given]
        rate = ["--analysis-hz", str(RATE_HZ)]
        code = main(
            ["extract", *where, *rate, "--view", view, "--workers", "1", "--format", "json", *more]
        )
        out, said = capsys.readouterr()
        return code, json.loads(out) if out else None, said

    return run


def test_a_data_set_becomes_a_feature_folder_for_each_backbone(extract, tmp_path):
    code, answer, _ = extract()
    assert code == 0
    assert (answer["extracted"], answer["there"], answer["segments"]) == (3, 0, 6)
    widths = {"still": 16, "moving": 8, "descriptors": 23}
    for name, width in widths.items():
        folder = read_features(tmp_path / "out" / name)
        assert (len(folder.train), len(folder.test), folder.segment_frames) == (2, 1, 16)
        assert folder.test["odd"].shape == (2, width)
        assert folder.left_out == ()


def test_an_equal_run_does_nothing_again_and_a_lost_clip_is_made_again(extract, tmp_path):
    extract()
    features = tmp_path / "out" / "still" / "features" / "train"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    lost = np.load(features / "n0.npy")
    (features / "n0.npy").unlink()
    assert extract()[1]["extracted"] == 1
    assert np.array_equal(np.load(features / "n0.npy"), lost)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert [path for path in before if before[path] != after[path]] == [features / "n0.npy"]


def test_what_was_done_before_a_kill_is_kept(extract, tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    whole = command._put

    def put(shelves, outcome):
        if outcome.video.name == "n1":
            raise KilledError
        whole(shelves, outcome)

    monkeypatch.setattr(command, "_put", put)
    with pytest.raises(KilledError):
        extract()
    monkeypatch.setattr(command, "_put", whole)
    answer = extract()[1]
    assert (answer["there"], answer["extracted"]) == (1, 2)


def test_another_backbone_of_the_same_name_is_refused(extract, tmp_path):
    extract(names=("still",))
    tiny_backbone(tmp_path / "other" / "still", seed=1)
    code, answer, said = extract(names=(str(tmp_path / "other" / "still"),))
    assert (code, answer) == (1, None)
    assert "made otherwise: backbone" in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"view": "picture"}, "made otherwise: look"),
        ({"more": ("--analysis-hz", "5")}, "made otherwise: footage"),
        ({"more": ("--max-width", "80")}, "made otherwise: footage"),
    ],
)
def test_other_settings_are_refused(extract, tmp_path, more, says):
    extract(names=("still",))
    code, _, said = extract(*more.pop("more", ()), names=("still",), **more)
    assert code == 1
    assert says in said


def test_other_objects_are_refused_where_objects_are_looked_at(
    extract,
    tmp_path,
    build_network,  # noqa: F811  # the fixture
):
    labels = {"names": "{0: 'person'}", "task": "detect"}
    network = build_network(np.zeros((300, 6), np.float32), metadata=labels)
    extract(names=("still", "moving"))
    assert extract("--detector", str(network), names=("moving",))[1]["there"] == 3
    code, _, said = extract("--detector", str(network), names=("still",))
    assert code == 1
    assert "made otherwise: objects" in said


def test_a_further_backbone_must_see_the_footage_alike(extract, tmp_path):
    extract(names=("still",))
    code, _, said = extract("--analysis-hz", "5", names=("descriptors",))
    assert code == 1
    assert "its segments would not be the same" in said
    assert not (tmp_path / "out" / "descriptors").exists()
    assert extract(names=("still", "descriptors"))[1]["extracted"] == 3


def test_a_corrupt_video_is_named_and_the_others_are_not_lost(extract, clips, tmp_path):
    footage = tmp_path / "footage"
    footage.mkdir()
    shutil.copy(clips / "video" / "train" / "n0.mkv", footage)
    (footage / "torn.mkv").write_bytes(b"no video")
    code, answer, said = extract(videos=footage)
    assert (code, answer["extracted"]) == (0, 1)
    assert "train/torn: " in answer["left_out"][0]
    assert "torn.mkv" in said


def test_footage_without_a_segment_is_an_error(extract, tmp_path):
    footage = tmp_path / "footage"
    footage.mkdir()
    (footage / "torn.mkv").write_bytes(b"no video")
    code, _, said = extract(videos=footage)
    assert code == 1
    assert "no video gave a segment" in said


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def other_clips(clips, root):
    """Another data set: one of its clips bears the name of one of ours."""
    write_clips(root, train=3)
    (root / "video" / "train" / "n2.mkv").replace(root / "video" / "train" / "n0.mkv")
    shutil.copy(clips / "video" / "test" / "odd.mkv", root / "video" / "test")
    return root


def test_other_footage_of_the_same_names_is_refused(extract, clips, tmp_path):
    extract(names=("still",))
    before = contents(tmp_path / "out")
    code, _, said = extract(names=("still",), videos=other_clips(clips, tmp_path / "other"))
    assert code == 1
    assert "n0.npy: was made of other footage than" in said
    assert "name another --out" in said
    assert contents(tmp_path / "out") == before


def test_the_same_footage_elsewhere_is_the_same(extract, clips, tmp_path):
    extract(names=("still",))
    shutil.copytree(clips, tmp_path / "moved")
    assert extract(names=("still",), videos=tmp_path / "moved")[1]["there"] == 3


def test_labels_of_another_data_set_are_refused_and_more_of_the_same_are_taken(
    extract, clips, tmp_path
):
    extract(names=("still",))
    moved = shutil.copytree(clips, tmp_path / "moved")
    labels = moved / "annotations" / "test_frame_labels.json"
    kept = tmp_path / "out" / "still" / "annotations" / labels.name
    more = json.loads(labels.read_text()) | {"even": [0] * 34}
    labels.write_text(json.dumps(more))
    shutil.copy(moved / "video" / "test" / "odd.mkv", moved / "video" / "test" / "even.mkv")
    assert extract(names=("still",), videos=moved)[1]["extracted"] == 1
    assert json.loads(kept.read_text()) == more
    code, _, said = extract(names=("still",))
    assert code == 1
    assert f"{kept}: says something else than" in said
    assert json.loads(kept.read_text()) == more


def test_training_videos_alone_are_enough_to_learn_from(extract, clips, tmp_path):
    root = tmp_path / "mine"
    shutil.copytree(clips / "video" / "train", root / "video" / "train")
    (root / "annotations").mkdir()
    (root / "annotations" / "train_video_labels.json").write_text('{"n0": 0, "n1": 1}')
    assert extract(videos=root)[1]["extracted"] == 2
    found = read_features(tmp_path / "out" / "still", judged=False)
    assert (found.abnormal, found.test) == ({"n0": False, "n1": True}, {})


def test_two_backbones_of_one_name_are_refused(extract, tmp_path):
    tiny_backbone(tmp_path / "other" / "still", seed=1)
    code, _, said = extract(names=("still", str(tmp_path / "other" / "still")))
    assert code == 2
    assert "two of the name still" in said
