import json

import numpy as np
import pytest

from edge.domain.guidance import Polarity
from edge.guiding.desk import GuidanceDesk, Place, refuse_guidance
from edge.guiding.folder import GuidanceFolder
from edge.guiding.readings import Readings
from edge.scoring.guidance import Guide
from edge.wire.broker import Message
from edge.wire.guidance import Command, Instruction, Status, decode_state
from edge.wire.topics import Topics
from edge.wire.words import WordTopics, answer, decode_ask, encode, refusal
from tests.fakes.broker import FakeBroker
from tests.fakes.sentences import PROMPTS, FakeWords, direction

TOPICS, WORDS = Topics("vad", "h"), WordTopics("vad")
SET, STATE = TOPICS.guidance_set("door"), TOPICS.guidance_state("door")
DRIVE = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
BICYCLE = {"text": "a person riding a bicycle", "polarity": "normal"}


class Host:
    """A desk whose broker is in memory, and whose thread is the test."""

    def __init__(self, folder, words):
        self.folder = GuidanceFolder(folder / "guidance")
        self.guides = {name: Guide(PROMPTS) for name in ("door", "yard")}
        self.broker = FakeBroker()
        self.broker.come()
        self.desk = GuidanceDesk(
            self.folder,
            {name: Place(guide, {"drive": DRIVE}) for name, guide in self.guides.items()},
            lambda ask: Readings(words, folder / "words", ask=ask),
            broker=self.broker,
            topics=TOPICS,
            retain=lambda topic, payload: self.send(topic, payload, retain=True),
            send=lambda message: self.send(message.topic, message.payload),
            now_s=lambda: 7.0,
        )
        self.desk.listen()
        self.look()

    def send(self, topic, payload, *, retain=False):
        self.broker.publish(Message(topic, payload, retain=retain), lambda _: None)

    def look(self):
        self.desk.look(patience_s=0)

    def say(self, **command):
        self.send(SET, json.dumps(command).encode())
        self.look()
        return self.state()

    def state(self, camera="door"):
        return decode_state(self.broker.payloads(TOPICS.guidance_state(camera))[-1])

    def change(self, text, camera="door", foot=(0.5, 0.9)):
        """Decades that a track which looks like ``text`` is moved by."""
        x, y = 100 * foot[0], 100 * foot[1]
        boxes = np.array([[x - 5, y - 20, x + 5, y]], np.float32)
        actions = direction(text)[None]
        moved = self.guides[camera].change(actions, boxes, time_s=0.0, width=100, height=100)
        return float(moved[0])


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path, FakeWords())


def test_a_sentence_is_followed_kept_and_told_and_then_it_is_not(host, tmp_path):
    assert host.state().guidance == ()
    (standing,) = host.say(add=BICYCLE).guidance
    assert (standing.text, standing.status, standing.since) == (
        BICYCLE["text"],
        Status.ACTIVE,
        7.0,
    )
    assert host.change("riding a bicycle") < 0
    assert host.change("running") == 0
    assert host.change("riding a bicycle", "yard") == 0  # it was said of the door
    again = Host(tmp_path, FakeWords())
    assert again.change("riding a bicycle") < 0
    assert again.state() == host.state()
    assert host.say(remove=standing.id).guidance == ()
    assert host.change("riding a bicycle") == 0


def test_zones_and_polarity_come_through(host):
    host.say(add=BICYCLE | {"zones": ["drive"], "polarity": "anomalous", "hours": ["00:00-24:00"]})
    assert host.change("riding a bicycle", foot=(0.5, 0.9)) > 0
    assert host.change("riding a bicycle", foot=(0.5, 0.2)) == 0


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{", "Invalid JSON"),
        (json.dumps({"add": BICYCLE | {"text": "a" * 10_000}}).encode(), "at most 500"),
        (json.dumps({"add": BICYCLE | {"zones": ["lawn"]}}).encode(), "unknown zone 'lawn'"),
        (b'{"remove": "0123456789abcdef"}', "no guidance 0123456789abcdef"),
    ],
)
def test_a_refusal_is_told_changes_nothing_and_ends_with_the_next_command(host, payload, why):
    before = host.say(add=BICYCLE).guidance
    host.send(SET, payload)
    host.look()
    assert host.state().guidance == before
    assert why in host.state().refused.reason
    assert host.state().refused.time == 7.0
    assert host.change("riding a bicycle") < 0
    host.look()
    assert host.state().refused is not None
    assert host.say(add=BICYCLE | {"text": "a dog"}).refused is None


def test_a_command_that_waited_for_the_first_look_changes_what_was_kept(host, tmp_path):
    host.say(add=BICYCLE)
    again = Host(tmp_path, FakeWords())
    again.desk._stamps.clear()
    again.desk._kept.clear()
    again.send(SET, b"{")
    again.look()
    assert (len(again.state().guidance), again.state().refused is None) == (1, False)


def test_a_refusal_behind_an_accepted_command_is_not_lost(host):
    host.send(SET, json.dumps({"add": BICYCLE}).encode())
    host.send(SET, b"{")
    host.look()
    assert (len(host.state().guidance), host.state().refused is None) == (1, False)


def test_what_another_process_wrote_is_followed(host):
    said = Instruction(text="a dog", polarity=Polarity.NORMAL)
    GuidanceFolder(host.folder.path).change("door", Command(add=said), now_s=3.0)
    assert host.change("a dog") == 0
    host.look()
    assert host.change("a dog") < 0
    assert host.state().guidance[0].since == 3.0
    said_before = len(host.broker.payloads(STATE))
    host.look()
    assert len(host.broker.payloads(STATE)) == said_before


def test_a_damaged_file_is_told_and_what_was_followed_goes_on(host):
    host.say(add=BICYCLE)
    path = host.folder.path / "door.json"
    content = path.read_bytes()
    path.write_text("{")
    host.look()
    assert "door.json: cannot be used" in host.state().refused.reason
    assert host.change("riding a bicycle") < 0
    path.write_bytes(content)
    host.look()
    assert (host.state().refused, len(host.state().guidance)) == (None, 1)


def test_of_a_contradiction_the_newest_counts_and_the_state_says_so(host):
    host.say(add=BICYCLE)
    older, newer = host.say(add=BICYCLE | {"polarity": "anomalous"}).guidance
    assert host.change("riding a bicycle") > 0
    assert newer.id in older.reason
    assert (older.status, newer.reason) == (Status.ACTIVE, "")


def test_a_host_without_a_word_model_says_so():
    broker, told = FakeBroker(), {}
    refuse_guidance(["door"], broker=broker, topics=TOPICS, retain=told.__setitem__)
    broker.come()
    broker.publish(Message(SET, b"{"), lambda _: None)
    state = decode_state(told[STATE])
    assert state.guidance == ()
    assert "no word model" in state.refused.reason


class TestWithoutATextTower:
    @pytest.fixture
    def host(self, tmp_path):
        return Host(tmp_path, FakeWords(tower=False))

    def asked(self, host):
        return [decode_ask(payload) for payload in host.broker.payloads(WORDS.ask("h"))]

    def reply(self, host, message):
        host.send(WORDS.answer("h"), encode(message))
        host.look()

    def test_it_waits_for_the_answer_and_follows_then(self, host, tmp_path):
        (standing,) = host.say(add=BICYCLE).guidance
        assert standing.status is Status.WAITING
        assert host.change("riding a bicycle") == 0
        (ask,) = self.asked(host)
        self.reply(host, answer(ask, direction(ask.text)))
        assert host.state().guidance[0].status is Status.ACTIVE
        assert host.change("riding a bicycle") < 0
        again = Host(tmp_path, FakeWords(tower=False))
        assert again.change("riding a bicycle") < 0
        assert self.asked(again) == []

    def test_cameras_that_say_the_same_ask_once_and_share_the_answer(self, host):
        for camera in ("door", "yard"):
            host.send(TOPICS.guidance_set(camera), json.dumps({"add": BICYCLE}).encode())
        host.look()
        (ask,) = self.asked(host)
        self.reply(host, answer(ask, direction(ask.text)))
        assert host.change("riding a bicycle", "yard") == host.change("riding a bicycle") < 0

    def test_a_refusal_is_shown_where_it_belongs(self, host):
        host.say(add=BICYCLE)
        self.reply(host, refusal(self.asked(host)[0], "another model"))
        (standing,) = host.state().guidance
        assert (standing.status, standing.reason) == (Status.REFUSED, "another model")

    def test_what_is_no_answer_changes_nothing(self, host, caplog):
        host.say(add=BICYCLE)
        host.send(WORDS.answer("h"), b'{"model": 1}')
        host.look()
        assert host.state().guidance[0].status is Status.WAITING
        assert "an embedding is not taken" in caplog.text


def test_a_zone_that_is_gone_is_told_and_the_others_count(host, tmp_path):
    host.say(add=BICYCLE | {"zones": ["drive"]})
    host.say(add=BICYCLE | {"text": "a dog"})
    host.desk._places["door"] = Place(host.guides["door"], {})
    host.desk._follow("door")
    gone, there = host.state().guidance
    assert (gone.status, there.status) == (Status.REFUSED, Status.ACTIVE)
    assert "unknown zone 'drive'" in gone.reason
    assert host.change("a dog") < 0 == host.change("riding a bicycle")


def test_the_thread_survives_what_nobody_foresaw(host, monkeypatch):
    stopped = []

    def fail(*, patience_s):
        stopped.append(patience_s)
        host.desk._stop.set()
        raise OSError("the disk is gone")

    monkeypatch.setattr(host.desk, "look", fail)
    host.desk.thread.start()
    host.desk.thread.join(10)
    assert stopped
    assert host.desk.problem == "guidance is not followed: the disk is gone"


def test_what_was_kept_counts_before_anything_is_seen(host, tmp_path):
    host.say(add=BICYCLE)
    guide, desk = host.guides["door"], host.desk
    guide.follow([])
    desk._stamps.clear()
    desk.start()
    changed = host.change("riding a bicycle")
    desk.stop()
    assert changed < 0
    assert not desk.thread.is_alive()
