import json
from types import SimpleNamespace

from edge.config import EdgeConfig
from edge.guidance import make_guidance
from edge.scoring.guidance import Guide
from edge.wire.broker import Message
from edge.wire.guidance import decode_state
from edge.wire.topics import Topics
from tests.fakes.broker import FakeBroker
from tests.fakes.sentences import PROMPTS, FakeWords

TOPICS = Topics("vad", "h")


class Publisher:
    """Keeps what is retained."""

    def __init__(self):
        self.states = {}
        self.sent = []

    def retain(self, topic, payload):
        self.states[topic] = payload

    def send(self, message):
        self.sent.append(message)


def make(folder, *, words=None):
    """A host of two cameras, and its desk."""
    cameras = {
        "door": {"source": "x", "zones": {"drive": [[0, 0], [1, 0], [1, 1]]}},
        "yard": {"source": "x"},
    }
    config = EdgeConfig.model_validate({"host": "h", "data_dir": folder, "cameras": cameras})
    posts = {}
    for name, section in config.cameras.items():
        reader = words and SimpleNamespace(words=SimpleNamespace(model=words), guide=Guide(PROMPTS))
        posts[name] = SimpleNamespace(section=section, reader=reader)
    broker, publisher = FakeBroker(), Publisher()
    broker.come()
    desk = make_guidance(config, posts, broker=broker, publisher=publisher, topics=TOPICS)
    return desk, broker, publisher


def test_without_a_word_model_there_is_no_desk(tmp_path):
    assert make(tmp_path)[0] is None


def test_each_camera_is_guided_by_what_is_said_of_it_in_zones_of_its_own(tmp_path):
    desk, broker, publisher = make(tmp_path, words=FakeWords())
    desk.listen()
    said = {"text": "a dog", "polarity": "normal", "zones": ["drive"]}
    for camera in ("door", "yard"):
        message = Message(TOPICS.guidance_set(camera), json.dumps({"add": said}).encode())
        broker.publish(message, lambda _: None)
    desk.look(patience_s=0)
    door, yard = (
        decode_state(publisher.states[TOPICS.guidance_state(c)]) for c in ("door", "yard")
    )
    assert [each.text for each in door.guidance] == ["a dog"]
    assert "unknown zone 'drive': this camera has none" in yard.refused.reason
    assert (tmp_path / "guidance" / "door.json").is_file()


def test_without_a_text_tower_questions_are_sent(tmp_path):
    desk, broker, publisher = make(tmp_path, words=FakeWords(tower=False))
    desk.listen()
    payload = b'{"add": {"text": "a dog", "polarity": "normal"}}'
    broker.publish(Message(TOPICS.guidance_set("door"), payload), lambda _: None)
    desk.look(patience_s=0)
    assert [message.topic for message in publisher.sent] == ["vad/h/words/ask"]
