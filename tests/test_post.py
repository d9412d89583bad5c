import threading

import pytest

from edge.config import load_config
from edge.errors import ModelError
from edge.model.artifact import Sampling, save_artifact
from edge.post import MOTION_WORKERS, make_posts, make_readers
from edge.vitals import Stopwatch
from edge.wire.stats import decode_stats
from tests.fakes.percepts import percept
from tests.fakes.students import artifact
from tests.fakes.words import fake_words, save_tiny_words


@pytest.fixture
def config(tmp_path):
    def make(words="{model: words}"):
        path = tmp_path / "edge.yaml"
        cameras = "".join(f"  {name}: {{source: {name}.mkv}}\n" for name in ("door", "yard"))
        said = f"words: {words}\n" if words else ""
        path.write_text(f"host: h\nmqtt: {{enabled: false}}\n{said}cameras:\n{cameras}")
        return load_config(path, {})

    return make


def posts_of(config):
    return make_posts(
        config,
        config.cameras,
        desk=None,
        desk_lock=threading.Lock(),
        arm=lambda _: None,
        stopwatch=Stopwatch(),
        keeper=None,
    )


def figures(post):
    return post.stats(open_events=0, stored_clips=0, stored_bytes=0)


def test_cameras_of_a_worker_share_what_sees_and_have_a_guide_each(config, tmp_path):
    save_tiny_words(tmp_path / "words")
    workers, posts = posts_of(config())
    assert len(workers) == MOTION_WORKERS == 1
    door, yard = posts["door"].reader, posts["yard"].reader
    assert door.sight is yard.sight
    assert door.words is yard.words
    assert door.guide is not yard.guide


def test_without_words_there_is_nobody_who_reads(config):
    _, posts = posts_of(config(words=None))
    assert posts["door"].reader is None
    assert (figures(posts["door"]).embeddings, posts["door"].problems) == (0, [])


def test_the_budget_of_the_host_is_shared_by_its_workers(config):
    words, setting = fake_words(), config("{model: words, embeddings_per_s: 10}")
    one, half = (
        make_readers(setting, words, ["door"], workers=count)["door"].sight for count in (1, 2)
    )
    for sight, most in ((one, 5), (half, 2)):
        sight.look([percept(0, people=9)])
        assert sight.looks("door").embeddings == most
        assert sight.looks("door").dropped == 9 - most


def test_drops_are_counted_and_said_when_they_last(config, tmp_path):
    save_tiny_words(tmp_path / "words")
    _, posts = posts_of(config("{model: words, embeddings_per_s: 1}"))
    post = posts["door"]
    for index in range(5 * 61):
        post.reader.sight.look([percept(index, people=9, speed=3.0)])
        if index == 100:
            assert post.problems == []
    assert figures(post).embeddings_dropped > 100
    assert figures(post).embeddings > 50
    (problem,) = post.problems
    assert "camera door: words do not keep up" in problem
    assert posts["yard"].problems == []


def test_a_word_model_that_does_not_run_is_told_and_counted(config, tmp_path, monkeypatch):
    save_tiny_words(tmp_path / "words")
    _, posts = posts_of(config("{model: words}"))
    post = posts["door"]

    def fail(prepared):
        raise ModelError("no memory left")

    monkeypatch.setattr(post.reader.words.model, "embed", fail)
    for index in range(3):
        post.reader.sight.look([percept(index, people=2)])
    assert figures(post).embeddings_failed == 6
    (problem,) = post.problems
    assert "camera door: words are silent" in problem
    assert "no memory left" in problem


def test_stats_of_a_host_that_does_not_know_words_are_read():
    payload = (
        b'{"time": 1, "uptime_s": 1, "model_version": "", "rss_bytes": 1, "stages_ms": {}, '
        b'"counters": {}, "problems": [], "cameras": [{"camera": "a", "status": "online", '
        b'"stream_hz": 1, "analysed_hz": 1, "dropped": {}, "reconnects": 0, '
        b'"latency_p50_ms": null, "latency_p99_ms": null, "open_events": 0}]}'
    )
    assert decode_stats(payload).cameras[0].embeddings_dropped == 0


def test_a_camera_that_its_student_sees_too_rarely_is_named_at_the_start(config, tmp_path, caplog):
    save_artifact(tmp_path / "street", artifact("dakd", sampling=Sampling(10.0, 640)))
    path = tmp_path / "edge.yaml"
    config(words=None)
    path.write_text(path.read_text().replace("yard.mkv", "yard.mkv, analysis_hz: 10"))
    path.write_text(path.read_text() + "exported_student: {folder: street}\n")
    posts_of(load_config(path, {}))
    told = [record.getMessage() for record in caplog.records if "learnt at" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("camera door: analysis_hz is 5")
