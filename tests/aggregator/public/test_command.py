"""From a folder of videos to a public set and back, through the command line."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from aggregator.cli import EXIT_CODES, main
from aggregator.public.asking import ATTEMPTS, Asker
from aggregator.public.reading import read_public
from edge.model.spec import StudentSpec
from edge.scoring.student import INPUTS, input_spec
from edge.terminal import FAILED, WRONG_INPUT
from edge.wire.weights import encode_weights
from tests.fakes.backbones import tiny_backbone
from tests.fakes.chat import CUT, HANG, chat_server

SIGHT = ("--analysis-hz", "10", "--every", "2")
TIMEOUT_S = 2.0
SPOILT = (
    (503, {"Retry-After": "1"}, b"busy"),
    "I would rather not say.",
    CUT,
    '{"abnormal": false, "category": "fighting"}',
)


class Moody:
    """A chat that answers every third request, and hangs once; it knows what it said."""

    def __init__(self) -> None:
        self.good: set[str] = set()  # questions that were answered well
        self.repeated = 0  # of these, asked again

    def __call__(self, number: int, body: dict) -> object:
        question = json.dumps(body["messages"])
        self.repeated += question in self.good
        if number == 4:
            return HANG
        if number % 3:
            return SPOILT[number % len(SPOILT)]
        self.good.add(question)
        return self._well(*body["messages"])

    def _well(self, system: dict, user: dict) -> str:
        """It takes a fight for everything in which somebody stays, and mends in two steps."""
        if isinstance(user["content"], list):
            return json.dumps({"description": "people on a street"})
        told = json.loads(user["content"])["narrative"]
        if "sort" in system["content"]:
            category = "fighting" if "stays" in told else "stealing" if "!" in told else "normal"
            return json.dumps({"abnormal": category != "normal", "category": category})
        return json.dumps({"description": f"{told}!" if "still" in told else f"{told} still"})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    hasty = partial(Asker, sleep=lambda _: None)
    monkeypatch.setattr("aggregator.commands.public_means.Asker", hasty)


@pytest.fixture
def videos(footage):
    """``odd`` is abnormal, ``n1`` normal, of ``n0`` nobody says; ``broken`` is none."""
    labels = {"odd": [0, 1], "n1": "normal", "absent": 1}
    (footage / "labels.json").write_text(json.dumps(labels))
    (footage / "train" / "n1.txt").write_text("a man stays where he is")
    (footage / "broken.mp4").write_bytes(b"no pictures at all")
    return footage


def add(videos, capsys, *more: str) -> tuple[int, dict]:
    out = str(videos.parent / "public")
    status = main(["public", "add", str(videos), "--out", out, "--format", "json", *SIGHT, *more])
    printed = capsys.readouterr().out
    return status, json.loads(printed) if printed else {}


def added(videos, capsys, *more: str):
    status, found = add(videos, capsys, *more)
    assert status == 0
    return found, videos.parent / "public"


def talking(videos, server) -> tuple[str, ...]:
    model = f"openai:{server.url}#m"
    return (
        *("--labels", str(videos / "labels.json"), "--timeout", str(TIMEOUT_S)),
        *("--captioner", model, "--calibrate", model),
    )


def test_a_chat_that_fails_hangs_and_contradicts_itself_is_asked_a_bounded_number_of_times(
    videos, capsys
):
    moody = Moody()
    with chat_server(moody) as server:
        found, out = added(videos, capsys, *talking(videos, server))
        asked = len(server.asked)
        again, _ = added(videos, capsys, *talking(videos, server))
        assert len(server.asked) == asked == found["requests"]
    assert (again.pop("requests"), found.pop("requests")) == (0, asked)
    assert again == found
    assert moody.repeated == 0
    assert asked <= ATTEMPTS * len(moody.good)
    assert (found["ready"], found["described_again"]) == (2, 1)
    assert found["left_out"]["unfinished"] == {}
    assert "fighting" in found["left_out"]["dropped"]["n1"]
    assert list(found["left_out"]["unusable"]) == ["broken"]
    assert found["labels_without_video"] == ["absent"]

    told = {video.name: video for video in read_public(out).videos}
    assert {name: video.category for name, video in told.items()} == {
        "n0": "normal",
        "odd": "stealing",
    }
    assert told["odd"].caption == "people on a street. still!"
    assert (told["odd"].abnormal, told["n0"].abnormal) == (True, None)

    assert main(["public", "list", str(out), "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["left_out"] == found["left_out"]
    assert set(listed["videos"]) == {"n0", "odd"}


def test_runs_that_are_cut_short_come_to_the_same_and_ask_nothing_twice(videos, capsys):
    with chat_server(Moody()) as server:
        whole, out = added(videos, capsys, *talking(videos, server))
    out.rename(out.with_name("whole"))
    moody, spent = Moody(), []
    with chat_server(moody) as server:
        few = (*talking(videos, server), "--requests", "1")  # for each of the four videos
        status = FAILED
        while status == FAILED and len(spent) < 99:
            status, found = add(videos, capsys, *few)
            spent.append(found["requests"])
            assert bool(found["left_out"]["unfinished"]) == (status == FAILED)
    assert len(spent) > 2
    assert max(spent) <= 4
    assert moody.repeated == 0
    assert found | {"requests": 0} == whole | {"requests": 0}


def test_a_key_goes_to_its_own_endpoint_alone(videos, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    sort = json.dumps({"abnormal": False, "category": "normal"})
    tell = json.dumps({"description": "a street"})
    with chat_server(lambda *_: sort) as sorter, chat_server(lambda *_: tell) as teller:
        calibrate, captioner = (f"openai:{each.url}#m" for each in (sorter, teller))
        added(videos, capsys, "--calibrate", calibrate, "--captioner", captioner)
    assert {headers.get("Authorization") for headers in sorter.headers} == {"Bearer secret"}
    assert {headers.get("Authorization") for headers in teller.headers} == {None}
    kept = b"".join(p.read_bytes() for p in (videos.parent / "public").rglob("*") if p.is_file())
    assert b"secret" not in kept


def test_a_silent_endpoint_leaves_everything_for_another_time(videos, capsys):
    with chat_server(lambda *_: "") as server:
        pass  # nobody listens there any more
    status, found = add(videos, capsys, *talking(videos, server))
    assert status == FAILED
    assert set(found["left_out"]["unfinished"]) == {"n0", "n1", "odd"}
    assert read_public(videos.parent / "public").videos == ()


def test_captions_of_other_videos_are_listed_and_make_nothing_ready(videos, capsys):
    (videos / "train" / "n1.txt").unlink()
    captions = videos.parent / "captions.json"
    captions.write_text(json.dumps({f"{name}.mp4": "a street" for name in range(12)}))
    chosen = ("--out", str(videos.parent / "public"), *SIGHT, "--captions", str(captions))
    assert main(["public", "add", str(videos), *chosen]) == FAILED
    printed = capsys.readouterr()
    (astray,) = (line for line in printed.out.splitlines() if line.startswith("captions"))
    assert "without a video: 12 (" in astray
    assert "without their ending" in astray
    assert astray.endswith("7.mp4 and 2 more")
    assert "no video of 4 is ready" in printed.err
    assert "(4 unusable)" in printed.err
    assert "run the same command again" in printed.err


def test_one_video_that_is_ready_is_a_success(videos, capsys):
    captions = videos.parent / "captions.json"
    captions.write_text(json.dumps({"n0": "a street", "other": "another"}))
    found, _ = added(videos, capsys, "--captions", str(captions))
    assert (found["ready"], found["captions_without_video"]) == (2, ["other"])


def test_without_words_a_set_is_made_of_what_is_seen(videos, capsys):
    found, out = added(videos, capsys, "--classes", "person,other")
    assert (found["ready"], found["captions"], found["requests"]) == (3, 1, 0)
    public = read_public(out)
    assert public.classes == ("person", "other")
    assert all(video.objects.tolist() == [0, 1] for video in public.videos)
    assert "--detector" in found["objects"]
    assert main(["public", "list", str(out)]) == 0
    assert "broken" in capsys.readouterr().out


def test_classes_stay_as_they_are_until_others_are_named(videos, capsys):
    _, out = added(videos, capsys, "--classes", "person,person, other")
    added(videos, capsys)
    assert read_public(out).classes == ("person", "other")
    added(videos, capsys, "--classes", "")
    assert read_public(out).classes == ()


def test_features_are_those_of_the_federation_s_students(videos, capsys, tmp_path):
    student = StudentSpec("clap", len(input_spec("clap")), hidden=8)
    versions = [spec.spec_version for spec in INPUTS["clap"]]
    about = {"student": json.dumps(student.as_json()), "spec_versions": json.dumps(versions)}
    model = tmp_path / "initial.safetensors"
    model.write_bytes(encode_weights({"w": np.zeros(3, np.float32)}, metadata=about))
    tiny_backbone(tmp_path / "eyes", width=5)
    found, out = added(videos, capsys, "--model", str(model), "--visual", str(tmp_path / "eyes"))
    public = read_public(out)
    assert found["head"] == "clap"
    assert public.widths == (23, 5, 256)
    assert [len(video.values) for video in public.videos] == [2, 2, 2]
    about["spec_versions"] = '["other-1"]'
    model.write_bytes(encode_weights({"w": np.zeros(3, np.float32)}, metadata=about))
    assert add(videos, capsys, "--model", str(model))[0] == WRONG_INPUT


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--texts", "bert"), "hashed"),
        (("--captioner", "blip"), "transformers:MODEL or openai:URL#MODEL"),
        (("--calibrate", "gpt"), "openai:URL#MODEL"),
        (("--detector-labels", "x"), "--detector FILE"),
        (("--model", "none"), "none"),
        (("--categories", "none"), "none"),
        (("--captions", "none"), "check the path"),
        (("--labels", "none"), "check the path"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(videos, capsys, more, says):
    out = videos.parent / "public"
    assert main(["public", "add", str(videos), "--out", str(out), *more]) == WRONG_INPUT
    assert says in capsys.readouterr().err
    assert not (out / "public.json").exists()


@pytest.mark.parametrize("words", [["public"], ["public", "add"], ["public", "list"]])
def test_help_tells_the_exit_codes(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    assert EXIT_CODES in capsys.readouterr().out


def test_a_folder_without_a_set_cannot_be_listed(tmp_path, capsys):
    assert main(["public", "list", str(tmp_path)]) == FAILED
    assert "public add" in capsys.readouterr().err


def test_the_command_loads_no_training_framework():
    code = (
        "import sys, aggregator.commands.public, aggregator.public.text; "
        "print([n for n in ('torch', 'transformers', 'sklearn') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
