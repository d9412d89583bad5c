from dataclasses import replace
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.alerts.console import Console
from edge.analysis import Pupil
from edge.compose import (
    enabled_cameras,
    find_model,
    learning_plan,
    limits,
    make_broker,
    make_detector,
    make_feed,
    make_snapshots,
    make_source,
    make_store,
    make_student,
    make_words,
    make_zones,
    model_path,
    mqtt_settings,
    other_rate,
    recall_model,
)
from edge.config import CameraSection, EdgeConfig, SnapshotsSection
from edge.errors import FeatureVersionError, ModelError
from edge.ingest.latest import Mailroom
from edge.model.artifact import Sampling, save_artifact
from edge.mqtt import MqttBroker
from edge.scoring.store import save_camera_model
from edge.wire.keys import public_pem
from edge.wire.topics import Topics
from tests.fakes.percepts import percept
from tests.fakes.students import artifact, student
from tests.fakes.words import fake_words, save_tiny_words


def make_config(folder, cameras=None, **sections):
    cameras = cameras or {"door": {"source": "clip.mkv"}}
    return EdgeConfig.model_validate(
        {"host": "h", "data_dir": folder, "cameras": cameras, **sections}
    )


@pytest.fixture
def config(tmp_path):
    return make_config(tmp_path, learning={"period_s": 20})


@pytest.fixture
def model(config):
    pupil = Pupil("door", learning_plan(config, config.cameras["door"]))
    for index in range(102):
        pupil.watch(percept(index))
    return pupil.graduate()


@pytest.mark.parametrize(
    ("address", "kind", "live"),
    [
        ("rtsp://u:p@cam/1", "RtspSource", True),
        ("rtsps://cam/1", "RtspSource", True),
        ("webcam:0", "WebcamSource", True),
        ("synthetic:road?fps=5", "SyntheticSource", True),
        ("clip.mkv", "FileSource", True),
        (".", "ImagesSource", True),
    ],
)
def test_the_form_of_an_address_tells_the_source_and_a_live_process_paces_them_all(
    address, kind, live, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    source = make_source(CameraSection(source=address))
    assert type(source).__name__ == kind
    assert source.live is live  # so that all frames of a live process carry the wall clock's time


def test_no_password_is_in_the_name_of_a_source_or_in_settings(tmp_path):
    camera = CameraSection(source="rtsp://viewer:hunter2@cam/1")
    assert "hunter2" not in make_source(camera).name
    assert "hunter2" not in repr(camera)
    config = make_config(tmp_path, mqtt={"username": "me", "password": "hunter2"})
    settings = mqtt_settings(config.mqtt, client_id="vad-h")
    assert settings.password == "hunter2"
    assert "hunter2" not in repr(settings) + repr(config)


def test_motion_needs_no_network(config):
    assert make_detector(config.detector) is None


def test_alerts_go_to_the_broker_or_are_printed(tmp_path):
    topics = Topics("vad", "h")
    assert isinstance(make_broker(make_config(tmp_path), topics, StringIO()), MqttBroker)
    quiet = make_config(tmp_path, mqtt={"enabled": False})
    assert isinstance(make_broker(quiet, topics, StringIO()), Console)


def test_pictures_are_kept_unless_switched_off(tmp_path):
    assert make_snapshots(make_config(tmp_path)) is not None
    off = SnapshotsSection(enabled=False)
    assert make_snapshots(make_config(tmp_path).model_copy(update={"snapshots": off})) is None


def test_features_are_kept_unless_switched_off(tmp_path):
    assert make_store(make_config(tmp_path)) is not None
    assert make_store(make_config(tmp_path, learning={"store": {"enabled": False}})) is None


def test_a_camera_may_have_a_budget_of_its_own(tmp_path):
    cameras = {"a": {"source": "x"}, "b": {"source": "x", "alarms_per_day": 0.5}}
    config = make_config(tmp_path, cameras)
    plans = [learning_plan(config, camera).alarms_per_day for camera in config.cameras.values()]
    assert plans == [2.0, 0.5]


def test_cameras_that_are_switched_off_are_left_out(tmp_path):
    cameras = {"a": {"source": "x"}, "b": {"source": "x", "enabled": False}}
    assert [name for name, _ in enabled_cameras(make_config(tmp_path, cameras))] == ["a"]


def test_a_feed_and_zones_are_made_from_a_section():
    camera = CameraSection(source="clip.mkv", zones={"drive": [(0, 0), (1, 0), (1, 1)]})
    assert make_feed("door", camera, Mailroom().add()).snapshot().decoded == 0
    assert [zone.name for zone in make_zones(camera)] == ["drive"]


def test_an_event_clears_below_where_it_is_raised(model):
    made = limits(model, cooldown_s=7.0)
    assert made.raise_at == model.threshold
    assert made.clear_below < made.raise_at
    assert made.cooldown_s == 7.0


def test_what_was_learnt_is_found_again(config, model):
    assert find_model(config, "door") is None
    save_camera_model(model_path(config, "door"), model)
    assert find_model(config, "door").threshold == pytest.approx(model.threshold)


def test_a_file_copied_from_another_camera_speaks_for_this_one(config, model):
    save_camera_model(model_path(config, "door"), replace(model, camera="gate"))
    assert find_model(config, "door").camera == "door"


def test_a_broken_model_is_put_aside_and_the_camera_learns_anew(config, caplog):
    path = model_path(config, "door")
    path.parent.mkdir()
    path.write_bytes(b"no model")
    with pytest.raises(ModelError):
        find_model(config, "door")
    assert recall_model(config, "door") is None
    assert not path.exists()
    assert path.with_name("door.safetensors.old").read_bytes() == b"no model"
    assert "camera door LEARNS ANEW" in caplog.text


def test_a_model_of_other_features_is_put_aside(config, model, monkeypatch, caplog):
    save_camera_model(model_path(config, "door"), model)
    monkeypatch.setattr("edge.compose.SPECS", ())
    with pytest.raises(FeatureVersionError):
        find_model(config, "door")
    assert recall_model(config, "door") is None
    assert model_path(config, "door").with_name("door.safetensors.old").exists()
    assert "LEARNS ANEW" in caplog.text


def test_a_model_that_cannot_be_moved_does_not_stop_the_process(config, monkeypatch, caplog):
    path = model_path(config, "door")
    path.parent.mkdir()
    path.write_bytes(b"no model")
    path.with_name("door.safetensors.old").mkdir()
    assert recall_model(config, "door") is None
    assert "cannot be moved" in caplog.text


def test_an_exported_student_takes_part_in_what_a_camera_learns(tmp_path):
    made = artifact("clap")
    save_artifact(tmp_path / "street", made)
    config = make_config(tmp_path, exported_student={"folder": tmp_path / "street"})
    student = make_student(config)
    assert student.version == made.version
    assert learning_plan(config, config.cameras["door"], student).student is student
    assert make_student(make_config(tmp_path)) is None


def test_a_camera_is_told_where_its_student_learnt_at_another_rate():
    camera = CameraSection(source="clip.mkv")
    knowing = student("dakd", sampling=Sampling(10.0, 640))
    assert "analysis_hz is 5, but its exported student learnt at 10" in other_rate(knowing, camera)
    alike = CameraSection(source="clip.mkv", analysis_hz=10.0)
    pairs = [(knowing, alike), (student("dakd"), camera), (None, camera)]
    assert [other_rate(*pair) for pair in pairs] == [None] * 3


def test_a_model_without_the_exported_student_is_put_aside(config, model, tmp_path, caplog):
    save_camera_model(model_path(config, "door"), model)
    save_artifact(tmp_path / "street", artifact("clap"))
    student = make_student(make_config(tmp_path, exported_student={"folder": tmp_path / "street"}))
    assert recall_model(config, "door", student) is None
    assert "LEARNS ANEW" in caplog.text


def test_an_unsigned_student_is_refused_where_a_signature_is_asked_for(tmp_path):
    save_artifact(tmp_path / "street", artifact("clap"))
    key = Ed25519PrivateKey.generate()
    (tmp_path / "maker.pub").write_bytes(public_pem(key.public_key()))
    section = {"folder": tmp_path / "street", "signed_by": tmp_path / "maker.pub"}
    with pytest.raises(ModelError, match="not signed"):
        make_student(make_config(tmp_path, exported_student=section))


def test_words_take_part_in_what_a_camera_learns(tmp_path):
    made = save_tiny_words(tmp_path / "words")
    config = make_config(tmp_path, words={"model": tmp_path / "words", "centres": 20})
    words = make_words(config)
    assert (words.model.version, words.centres) == (made.version, 20)
    assert learning_plan(config, config.cameras["door"], None, words).words is words
    assert make_words(make_config(tmp_path)) is None


def test_a_model_without_words_is_put_aside_where_there_are_some(config, model, tmp_path, caplog):
    save_camera_model(model_path(config, "door"), model)
    words = fake_words()
    assert recall_model(config, "door", None, words) is None
    assert "LEARNS ANEW" in caplog.text
    save_camera_model(model_path(config, "door"), replace(model, words=words))
    assert recall_model(config, "door", None, words).words is words


def test_a_missing_word_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        make_words(make_config(tmp_path, words={"model": tmp_path / "nowhere"}))


def test_motion_counts_unless_switched_off(tmp_path):
    for motion in (True, False):
        config = make_config(
            tmp_path, words={"model": tmp_path / "words"}, learning={"motion": motion}
        )
        assert learning_plan(config, config.cameras["door"]).options.motion is motion
