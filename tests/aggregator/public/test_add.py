"""Every part of a video is made once, and anew only when what it depends on has changed."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from aggregator.public.add import SILENT_VIDEOS, Describing, Means, Preparation
from aggregator.public.asking import Asker, Budget, Exchanges
from aggregator.public.calibration import Calibrator
from aggregator.public.endpoint import NoAnswerError
from aggregator.public.folder import PublicFolder
from aggregator.public.labels import Label
from aggregator.public.text import HashedWords
from aggregator.public.watching import Sighting, Views
from edge.errors import ConfigError, SourceUnusableError, StorageError
from tests.fakes.chat import Chat, in_turn

ARSON = '{"abnormal": true, "category": "arson"}'
CATEGORIES = {"arson": "fire"}


class Stage:
    """Counts what is asked of it; its ``settings`` are all that it depends on."""

    def __init__(self, work: Counter, settings: str = "") -> None:
        self.work, self.identity, self.head, self.width = work, settings, "density", 4

    def facts(self):
        return {"settings": self.identity}

    def watch(self, path):
        if path.read_bytes() == b"broken":
            raise SourceUnusableError(f"{path} cannot be read as video")
        self.work["watch"] += 1
        rows = np.zeros((3, 13), np.float32)
        return Sighting(rows, rows[:, :2], np.arange(3), {"person": 2})

    def look(self, path):
        self.work["look"] += 1
        return Views(np.zeros((1, 5), np.float32), np.zeros(1, np.int64))

    def caption(self, pictures, prompt):
        self.work["caption"] += 1
        return ["a man walks"]

    def embed(self, texts):
        self.work["embed"] += 1
        return np.ones((len(texts), 4), np.float32)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr("aggregator.public.add.regular_pictures", lambda *_, **__: [])


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "videos" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes(b"pictures")
    return path


@pytest.fixture
def folder(tmp_path):
    made = PublicFolder(tmp_path / "public")
    made.begin(("person",))
    return made


def means(work: Counter, settings: str = "watch look caption embed") -> Means:
    """Each stage's settings are the words of ``settings`` that begin like it."""
    watch, look, caption, embed = settings.split()
    return Means(
        Stage(work, watch),
        Stage(work, embed),
        Stage(work, look),
        Describing(captioner=Stage(work, caption)),
    )


def added(folder, video, using: Means, label=Label()):  # noqa: B008 - frozen
    return Preparation(folder, using, Budget(99)).add(video, camera="c", label=label)


def asking(folder, chat: Chat) -> Calibrator:
    asker = Asker(chat, Exchanges(folder.exchanges), Budget(99), sleep=lambda _: None)
    return Calibrator(asker, CATEGORIES)


ONCE = Counter(watch=1, look=1, caption=1, embed=1)


@pytest.mark.parametrize(
    ("settings", "anew"),
    [
        ("watch look caption embed", []),
        ("WATCH look caption embed", ["watch"]),
        ("watch LOOK caption embed", ["look"]),
        ("watch look CAPTION embed", ["caption"]),
        ("watch look caption EMBED", ["embed"]),
    ],
)
def test_a_changed_setting_costs_what_depends_on_it(folder, video, settings, anew):
    work: Counter = Counter()
    assert added(folder, video, means(work)).state == "ready"
    assert work == ONCE
    assert added(folder, video, means(work, settings)).state == "ready"
    assert work == ONCE + Counter(anew)


def test_another_content_costs_everything_but_what_it_has_in_common(folder, video):
    work: Counter = Counter()
    added(folder, video, means(work))
    video.write_bytes(b"other pictures")
    added(folder, video, means(work))
    assert work == Counter(watch=2, look=2, caption=2, embed=1)  # the caption is the same


def test_a_label_costs_nothing(folder, video):
    work: Counter = Counter()
    added(folder, video, means(work))
    assert added(folder, video, means(work), Label(True, "arson")).category == "arson"
    assert work == ONCE


def test_a_damaged_part_is_made_anew(folder, video):
    work: Counter = Counter()
    added(folder, video, means(work))
    for part in folder.path.rglob("*.safetensors"):
        part.write_bytes(part.read_bytes()[:-1] if part.stem == "seen" else b"\x00")
    assert added(folder, video, means(work)).state == "ready"
    assert work == ONCE + ONCE


def test_what_is_killed_on_the_way_goes_on_there(folder, video, monkeypatch):
    work: Counter = Counter()
    monkeypatch.setattr(Stage, "embed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        added(folder, video, means(work))
    assert list(folder.entries()) == []
    monkeypatch.undo()
    monkeypatch.setattr("aggregator.public.add.regular_pictures", lambda *_, **__: [])
    assert added(folder, video, means(work)).state == "ready"
    assert work == ONCE


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(folder, video):
    broken, gone = video.with_name("broken.mp4"), video.with_name("gone.mp4")
    broken.write_bytes(b"broken")
    work: Counter = Counter()
    for path in (broken, gone, video):
        added(folder, path, means(work))
    listed = {entry.name: (entry.state, entry.reason) for entry in folder.entries()}
    assert listed["a"] == ("ready", "")
    assert listed["broken"] == ("unusable", f"{broken} cannot be read as video")
    assert listed["gone"][0] == "unusable"
    assert str(gone) in listed["gone"][1]


def test_a_full_disk_is_an_error_that_says_so(folder, video, monkeypatch):
    def refuse(path, _):
        raise StorageError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("aggregator.public.folder.write_atomically", refuse)
    with pytest.raises(StorageError, match="No space"):
        added(folder, video, means(Counter()))
    assert list(folder.entries()) == []


def test_written_captions_come_before_a_captioner(folder, video):
    work: Counter = Counter()
    written = replace(means(work), describing=Describing({"a": "a man lights a fire"}))
    assert added(folder, video, written).caption == "a man lights a fire"
    assert work["caption"] == 0


@pytest.mark.parametrize("lacking", ["list", "calibrator"])
def test_a_video_without_a_caption_is_left_out_where_captions_are_used(folder, video, lacking):
    using = replace(
        means(Counter()), describing=Describing({"b": "x"} if lacking == "list" else {})
    )
    if lacking == "calibrator":
        using = replace(using, calibrator=asking(folder, in_turn()))
    entry = added(folder, video, using)
    assert entry.state == "unusable"
    assert "caption" in entry.reason


def test_without_any_captions_the_text_says_nothing(folder, video):
    using = replace(means(Counter()), texts=HashedWords(4), describing=Describing())
    entry = added(folder, video, using)
    assert (entry.state, entry.caption) == ("ready", "")
    part = folder.kept("a", "text", entry.keys["text"])
    assert part is not None
    assert part.arrays["text"].tolist() == [0, 0, 0, 0]


def test_what_contradicts_its_label_is_dropped_and_listed(folder, video):
    chat = Chat(lambda number, _: ARSON if number % 2 == 0 else '{"description": "fire"}')
    using = replace(means(Counter()), calibrator=asking(folder, chat))
    entry = added(folder, video, using, Label(False, "normal"))
    assert entry.state == "dropped"
    assert "arson" in entry.reason
    assert "normal" in entry.reason
    assert [each.state for each in folder.entries()] == ["dropped"]
    assert added(folder, video, using, Label(True)).state == "ready"  # the label is put right


def test_nonsense_drops_a_video_and_silence_leaves_it_for_the_next_run(folder, video):
    nonsense = replace(means(Counter()), calibrator=asking(folder, Chat(lambda *_: "what?")))
    assert added(folder, video, nonsense).state == "dropped"
    again = in_turn(ARSON)
    assert added(folder, video, replace(nonsense, calibrator=asking(folder, again))).state == (
        "dropped"
    )
    assert again.asked == []
    other = video.with_name("b.mp4")
    other.write_bytes(b"b")
    chat = Chat(lambda *_: NoAnswerError("silent"))
    silent = replace(
        means(Counter()),
        describing=Describing({"b": "a man"}),
        calibrator=asking(folder, chat),
    )
    assert added(folder, other, silent).state == "unfinished"
    answered = replace(silent, calibrator=asking(folder, in_turn(ARSON)))
    assert added(folder, other, answered).category == "arson"


def test_an_endpoint_that_is_silent_for_long_is_asked_no_more(folder, video):
    chat, budget = Chat(lambda *_: NoAnswerError("silent")), Budget(999)
    asker = Asker(chat, Exchanges(folder.exchanges), budget, sleep=lambda _: None)
    written = {f"v{k}": f"caption {k}" for k in range(9)}
    using = replace(
        means(Counter()),
        describing=Describing(written),
        calibrator=Calibrator(asker, CATEGORIES),
    )
    preparation = Preparation(folder, using, budget)
    for name in written:
        path = video.with_name(f"{name}.mp4")
        path.write_bytes(name.encode())
        assert preparation.add(path, camera="c", label=Label()).state == "unfinished"
    assert len(chat.asked) == 4 * SILENT_VIDEOS


def test_an_endpoint_that_refuses_for_good_ends_the_run(folder, video):
    chat = in_turn(ConfigError("check the key"))
    using = replace(means(Counter()), calibrator=asking(folder, chat))
    with pytest.raises(ConfigError, match="check the key"):
        added(folder, video, using)
