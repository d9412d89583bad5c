import pytest

from edge.commands.check import DID_NOT_ANSWER
from edge.model.artifact import Sampling, save_artifact
from edge.terminal import WRONG_INPUT
from tests.fakes.students import artifact
from tests.fakes.words import save_tiny_words
from tests.system.broker import free_port


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_it_reports_everything_that_answers_and_writes_nothing(shell):
    config = shell.street()
    before = listing(shell.folder)
    code, figures = shell.json("check", "-c", config)
    assert code == 0
    assert figures["ok"] is True
    findings = {found["what"]: found for found in figures["findings"]}
    assert set(findings) == {"data_dir", "detector", "camera street", "broker"}
    assert all(set(found) == {"what", "ok", "found"} for found in figures["findings"])
    assert findings["camera street"]["found"].startswith("320x180 synthetic at 5 Hz; nothing")
    assert listing(shell.folder) == before


def test_what_is_missing_is_named_beside_what_does(shell):
    config = shell.config(
        "host: h\nmqtt: {enabled: false}\ncameras:\n"
        "  good: {source: 'synthetic:road?fps=5&size=160x90'}\n"
        "  gone: {source: gone.mkv}\n  off: {source: x, enabled: false}\n"
    )
    code, out, _ = shell.run("check", "-c", config)
    assert code == WRONG_INPUT == 2
    assert "ok    camera good: 160x90" in out
    assert "FAIL  camera gone: " in out
    assert "gone.mkv is no file: check the path" in out
    assert "camera off" not in out


def test_a_camera_that_its_student_sees_too_rarely_is_warned_of(shell):
    student = artifact("dakd", sampling=Sampling(10.0, 640))
    save_artifact(shell.folder / "street", student)
    code, figures = shell.json("check", "-c", shell.street(exported_student="{folder: street}"))
    assert code == 0
    found = {each["what"]: each["found"] for each in figures["findings"]}
    assert (
        "WARNING: analysis_hz is 5, but its exported student learnt at 10"
        in (found["camera street"])
    )


def test_passwords_are_never_printed(shell, monkeypatch):
    monkeypatch.setenv("VAD_EDGE_SECRET", "hunter2")
    config = shell.config(
        f"host: h\nmqtt: {{port: {free_port()}, username: me, password: '{{VAD_EDGE_SECRET}}'}}\n"
        "cameras:\n"
        f"  door: {{source: 'rtsp://me:{{VAD_EDGE_SECRET}}@127.0.0.1:{free_port()}/1'}}\n"
    )
    code, out, err = shell.run("check", "-c", config)
    assert code == DID_NOT_ANSWER == 3
    assert "FAIL  camera door" in out
    assert "FAIL  broker" in out
    assert "hunter2" not in out + err


def test_a_data_folder_that_cannot_be_written_fails(shell):
    (shell.folder / "file").touch()
    code, out, _ = shell.run("check", "-c", shell.street(data_dir="file/data"))
    assert code == DID_NOT_ANSWER
    assert "FAIL  data_dir" in out


def test_a_model_that_cannot_be_used_fails_and_is_left_alone(shell):
    model = shell.folder / "data" / "cameras" / "street.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"no model")
    code, out, _ = shell.run("check", "-c", shell.street())
    assert code == WRONG_INPUT
    assert "damaged or foreign" in out
    assert model.read_bytes() == b"no model"


@pytest.mark.parametrize("text", ["", "host: h\n", "host: h\ncameras: {a: {source: x, fps: 5}}\n"])
def test_a_wrong_configuration_exits_with_2(shell, text):
    code, out, err = shell.run("check", "-c", shell.config(text))
    assert (code, out) == (2, "")
    assert "edge.yaml:" in err


def test_it_works_where_nothing_may_be_written(shell, monkeypatch):
    config = shell.street()
    monkeypatch.setattr("edge.commands.check.os.access", lambda *_: False)
    for path in (config, shell.folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    code, out, _ = shell.run("check", "-c", config)
    shell.folder.chmod(0o755)
    assert code == DID_NOT_ANSWER
    assert "FAIL  data_dir" in out
    assert "ok    camera street" in out


@pytest.mark.parametrize(
    "sections",
    [
        {"detector": "{kind: onnx, model: gone.onnx}"},
        {"mqtt": f"{{port: {free_port()}}}", "detector": "{kind: onnx, model: gone.onnx}"},
    ],
)
def test_what_run_would_refuse_to_start_with_has_the_same_exit_code(shell, sections):
    config = shell.config(
        "host: h\ndata_dir: data\n"
        + "".join(
            f"{name}: {value}\n"
            for name, value in ({"mqtt": "{enabled: false}"} | sections).items()
        )
        + "cameras: {street: {source: 'synthetic:road?fps=5&size=160x90'}}\n"
    )
    assert shell.run("check", "-c", config)[0] == WRONG_INPUT
    assert shell.run("run", "-c", config)[0] == WRONG_INPUT


@pytest.mark.parametrize("source", ["synthetic:road?colour=red", "rtsp://cam:port/1", "gone.mkv"])
def test_an_address_that_can_never_be_read_is_a_mistake_for_check_and_run(shell, source):
    config = shell.config(
        f"host: h\nmqtt: {{enabled: false}}\ncameras: {{a: {{source: '{source}'}}}}\n"
    )
    assert shell.run("check", "-c", config)[0] == WRONG_INPUT
    assert shell.run("run", "-c", config)[0] == WRONG_INPUT


def test_a_full_disk_is_told_before_run_meets_it(shell, monkeypatch):
    monkeypatch.setattr("edge.commands.check.LEAST_FREE_BYTES", 1 << 62)
    code, out, _ = shell.run("check", "-c", shell.street())
    assert code == DID_NOT_ANSWER == 3
    assert "its disk is full; free some of it" in out


def test_the_word_model_is_looked_at(shell):
    save_tiny_words(shell.folder / "words")
    code, figures = shell.json("check", "-c", shell.street(words="{model: words}"))
    assert code == 0
    (words,) = [each for each in figures["findings"] if each["what"] == "words"]
    assert "4 prompts, has sentences read elsewhere" in words["found"]


def test_a_missing_word_model_is_named(shell):
    code, out, _ = shell.run("check", "-c", shell.street(words="{model: nowhere}"))
    assert code == WRONG_INPUT
    assert "FAIL  words: " in out
    assert "nowhere" in out
