import json

import numpy as np
import pytest

from edge.errors import ConfigError, DatasetError
from edge.evaluation.synthetic import write_video
from edge.ingest.synthetic import Planted, Street, StreetOptions
from edge.model.words import load_words
from export.cli import main
from export.extract.watch import Viewing
from export.words.clips import cut, list_clips
from export.words.fusion_file import load_fusion
from export.words.teach import HELD_OUT_EVERY, divide, ways_to_say
from tests.fakes.word_models import tiny_words

SMALL = {"width_px": 160, "height_px": 90, "fps": 10.0, "duration_s": 4.0}


def street(seed, action=None):
    planted = (Planted(action, 1.0),) if action else ()
    return Street(StreetOptions(**SMALL, seed=seed, planted=planted))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Clips of two actions, and a word model that reads."""
    root = tmp_path_factory.mktemp("tfc")
    for name, action in (("a_person_walking", None), ("a_person_running", "running")):
        (root / "clips" / name).mkdir(parents=True)
        for seed in range(2):
            path = root / "clips" / name / f"{seed}.mkv"
            write_video(path, street(seed, action), rate_hz=10)
    tiny_words(root / "words", frames=9)
    return root


def call(root, out, *more):
    return main(
        [
            *("tfc", "--clips", str(root / "clips"), "--words", str(root / "words")),
            *("--out", str(out), "--steps", "3", "--batch", "8", "--heads", "2", *more),
        ]
    )


def test_a_temporal_part_is_trained_on_clips(root, tmp_path, capsys):
    assert call(root, tmp_path / "tfc", "--format", "json", "--alpha", "0.5") == 0
    told, trained = json.loads(capsys.readouterr().out), load_fusion(tmp_path / "tfc")
    assert told["actions"] == ["a person running", "a person walking"]
    assert trained.facts.backbone == load_words(root / "words").backbone.version
    assert (trained.facts.alpha, trained.facts.heads) == (0.5, 2)
    assert not list(tmp_path.glob(".*"))


def test_embedded_clips_are_used_again_and_give_the_same(root, tmp_path):
    work = ["--work", str(tmp_path / "work")]
    assert call(root, tmp_path / "a", *work) == 0
    stored = sorted((tmp_path / "work" / "clips").rglob("*.safetensors"))
    before = [path.stat().st_mtime_ns for path in stored]
    assert call(root, tmp_path / "b", *work) == 0
    assert before == [path.stat().st_mtime_ns for path in stored]
    a, b = load_fusion(tmp_path / "a"), load_fusion(tmp_path / "b")
    np.testing.assert_array_equal(a.features(), b.features())


def test_a_work_folder_of_another_viewing_is_not_mixed_in(root, tmp_path, capsys):
    work = ["--work", str(tmp_path / "work")]
    assert call(root, tmp_path / "a", *work) == 0
    assert call(root, tmp_path / "b", *work, "--analysis-hz", "4") == 1
    assert "another word model or viewing" in capsys.readouterr().err


def test_of_a_clip_the_largest_object_is_cut(root):
    tubes = cut(root / "clips" / "a_person_running" / "0.mkv", Viewing(), None, 9)
    assert tubes
    assert all(len(tube) == 9 for tube in tubes)


def test_clips_need_two_actions(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        list_clips(tmp_path / "nowhere")
    (tmp_path / "walking").mkdir()
    (tmp_path / "walking" / "a.mp4").touch()
    with pytest.raises(DatasetError, match="two folders"):
        list_clips(tmp_path)


def test_every_sixth_clip_of_an_action_is_held_out(tmp_path):
    for action in ("a", "b"):
        (tmp_path / action).mkdir()
        for number in range(2 * HELD_OUT_EVERY):
            (tmp_path / action / f"{number:02d}.mp4").touch()
    tubes = {clip: np.ones((2, 9, 4), np.float32) for clip in list_clips(tmp_path)}
    learnt, held_out, names = divide(tubes)
    assert names == ["a", "b"]
    assert len(held_out.tubes) == 2 * 2 * 2
    assert len(learnt.tubes) + len(held_out.tubes) == 2 * len(tubes)
    assert set(held_out.actions.tolist()) == {0, 1}


def test_without_a_text_tower_an_action_must_be_a_prompt(tmp_path):
    model = tiny_words(tmp_path / "words", tower=False)
    (found,) = ways_to_say(model, ["a car"])
    np.testing.assert_array_equal(found, model.prompts.embeddings[[2]])
    with pytest.raises(ConfigError, match="swimming"):
        ways_to_say(model, ["swimming"])
