import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge.config import WordsSection, load_config
from edge.errors import ConfigError
from edge.yamlfile import read_yaml

CONFIGS = Path(__file__).parents[1] / "configs"
SECRETS = {
    "VAD_EDGE_MQTT_PASSWORD": "broker-secret",
    "VAD_EDGE_GATE_PASSWORD": "gate-secret",
    "VAD_EDGE_YARD_PASSWORD": "yard-secret",
}
SMALL = "host: h\ncameras:\n  a:\n    source: clip.mkv\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str, secrets: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text), secrets or {})
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("edge*.yaml")), ids=lambda path: path.name)
def test_shipped_files_load(path: Path):
    assert load_config(path, SECRETS).cameras


def test_shipped_file_shows_every_setting():
    shown = (CONFIGS / "edge.yaml").read_text()
    schema = load_config(CONFIGS / "edge.yaml", SECRETS)
    for section in ("mqtt", "detector", "learning", "alerts", "snapshots"):
        for name in type(getattr(schema, section)).model_fields:
            assert f"{name}:" in shown, f"{section}.{name}"
    assert "# exported_student:" in shown
    words = shown.partition("# words:")[2].partition("# federation:")[0]
    for name in WordsSection.model_fields:
        assert f"#   {name}:" in words, f"words.{name}"


def test_typo_is_reported_with_its_line(tmp_path: Path):
    text = SMALL + "    analysis_hertz: 5\nmqtt:\n  port: many\n"
    lines = mistakes(tmp_path, text).splitlines()
    assert [line.split(":")[1] for line in lines] == ["5", "7"]
    assert "cameras.a.analysis_hertz" in lines[0]
    assert "mqtt.port" in lines[1]


def test_missing_secret_names_variable_and_line(tmp_path: Path):
    text = 'host: h\ncameras:\n  a:\n    source: "rtsp://u:{VAD_EDGE_NONE}@cam/1"\n'
    assert "edge.yaml:4: the environment has no VAD_EDGE_NONE" in mistakes(tmp_path, text)


def test_secret_is_not_shown_in_errors_or_repr(tmp_path: Path):
    text = (
        'host: h\nmqtt:\n  password: "{VAD_EDGE_P}"\n  port: "{VAD_EDGE_P}"\n'
        "cameras:\n  a:\n    source: x\n"
    )
    assert "hunter2" not in mistakes(tmp_path, text, {"VAD_EDGE_P": "hunter2"})
    text = 'host: h\ncameras:\n  a:\n    source: "rtsp://u:{VAD_EDGE_P}@cam/1"\n'
    config = load_config(write(tmp_path, text), {"VAD_EDGE_P": "hunter2"})
    assert "hunter2" in config.cameras["a"].source
    assert "hunter2" not in repr(config)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_password_survives_in_an_address(tmp_path_factory, password: str):
    text = 'host: h\ncameras:\n  a:\n    source: "rtsp://u:{VAD_EDGE_P}@cam:554/1?x={VAD_EDGE_Q}"\n'
    path = write(tmp_path_factory.getbasetemp(), text)
    secrets = {"VAD_EDGE_P": password, "VAD_EDGE_Q": "a/b"}
    address = urlsplit(load_config(path, secrets).cameras["a"].source)
    assert (unquote(address.password or ""), address.hostname, address.port) == (
        password,
        "cam",
        554,
    )
    assert (address.path, address.query) == ("/1", "x=a/b")


def test_a_password_elsewhere_is_taken_as_it_is(tmp_path: Path):
    text = SMALL + 'mqtt: {password: "{VAD_EDGE_P}"}\n'
    password = load_config(write(tmp_path, text), {"VAD_EDGE_P": "a@b/c%"}).mqtt.password
    assert password is not None
    assert password.get_secret_value() == "a@b/c%"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SMALL + "mqtt:\n  password: hunter2\n", 6),
        (SMALL + "mqtt:\n  password: 4711\n", 6),
        (SMALL + "mqtt:\n  password: 'hunter2{VAD_EDGE_P}'\n", 6),
        (SMALL.replace("clip.mkv", "rtsp://u:hunter2@cam/1"), 4),
        (SMALL.replace("clip.mkv", "rtsp://me@home:p@hunter2@cam/1"), 4),
        (SMALL.replace("clip.mkv", "rtsps://u:4711{VAD_EDGE_P}@cam/1"), 4),
        (SMALL.replace("clip.mkv", "rtsp://cam/1?user=u&password=hunter2"), 4),
    ],
)
def test_a_password_that_is_written_out_is_refused_and_not_shown(
    tmp_path: Path, text: str, line: int
):
    said = mistakes(tmp_path, text, {"VAD_EDGE_P": "x"})
    assert f"edge.yaml:{line}: " in said
    assert "{VAD_EDGE_NAME}" in said
    assert "hunter2" not in said
    assert "4711" not in said


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://cam/1",
        "rtsp://u@cam:554/a@b",
        "rtsp://{VAD_EDGE_P}:{VAD_EDGE_P}@cam/1",
        "rtsp://[::1]:554/1",
    ],
)
def test_addresses_without_a_written_out_password_are_taken(tmp_path: Path, address: str):
    text = SMALL.replace("clip.mkv", f'"{address}"') + "mqtt: {password: null}\n"
    source = load_config(write(tmp_path, text), {"VAD_EDGE_P": "x"}).cameras["a"].source
    assert source == address.replace("{VAD_EDGE_P}", "x")


def test_only_our_own_variables_are_substituted(tmp_path: Path):
    config = load_config(write(tmp_path, SMALL.replace("clip", "x{HOME}")), os.environ)
    assert config.cameras["a"].source == str(tmp_path / "x{HOME}.mkv")


def test_paths_do_not_depend_on_the_shells_folder(tmp_path: Path):
    config = load_config(write(tmp_path, SMALL + "data_dir: here\n"), {})
    assert config.data_dir == tmp_path / "here"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected keys"),
        ("- a\n", "expected keys"),
        ("host: [\n", "not valid YAML"),
        ("host: h\nhost: g\n", "edge.yaml:2: host: stands twice"),
        ("host: h\ncameras: {}\n", "at least 1 item"),
        ("host: a b\ncameras:\n  a:\n    source: x\n", "edge.yaml:1: host"),
        (SMALL + "detector:\n  kind: onnx\n", "kind: onnx needs model"),
        (SMALL + "detector:\n  classes: [car]\n", "go with kind: onnx"),
        (SMALL + "mqtt:\n  tls:\n    ca: a\n    cert: b\n", "cert and key belong together"),
        (SMALL + "    masks: [[[0, 0], [2, 0], [0, 1]]]\n", "less than or equal to 1"),
        (SMALL + "    masks: [[[0, 0], [1, 1], [0.5, 0.5]]]\n", "edge.yaml:5: cameras.a.masks.0"),
        (
            SMALL + "    zones:\n      z: [[0, 0], [1, 0], [0, 0]]\n",
            "edge.yaml:6: cameras.a.zones.z",
        ),
        (SMALL + "    zones: {z: [[0, 0], [1, 0], [0, 0]]}\n", "lie on one line"),
        ("a: &a [*a]\n", "alias contains itself"),
        ("host: !!python/object:os.system x\n", "cannot be read as"),
    ],
)
def test_mistakes_say_what_to_mend(tmp_path: Path, text: str, said: str):
    assert said in mistakes(tmp_path, text)


def test_unreadable_files_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_config(tmp_path / "nowhere.yaml", {})
    (tmp_path / "edge.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "edge.yaml", {})


@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused_as_a_config_error(tmp_path_factory, text: str):
    path = write(tmp_path_factory.getbasetemp(), text)
    try:
        read_yaml(path, {})
    except ConfigError:
        return
    assert isinstance(yaml.safe_load(text), dict)


FEDERATION = "federation:\n  name: street\n  signing_key: me.key\n  aggregator_key: it.pub\n"


def test_keys_of_a_federation_lie_beside_the_file(tmp_path: Path):
    federation = load_config(write(tmp_path, SMALL + FEDERATION), {}).federation
    assert federation is not None
    assert federation.signing_key == tmp_path / "me.key"
    assert federation.aggregator_key == tmp_path / "it.pub"


def test_settings_of_learning_that_exclude_each_other(tmp_path: Path):
    assert "mqtt.enabled" in mistakes(tmp_path, SMALL + FEDERATION + "mqtt: {enabled: false}\n")
    text = "learning: {student: {enabled: true}, store: {enabled: false}}\n"
    assert "store.enabled" in mistakes(tmp_path, SMALL + text)


def test_an_exported_student_lies_beside_the_file_and_is_the_only_one(tmp_path: Path):
    text = SMALL + "exported_student: {folder: street, signed_by: maker.pub}\n"
    exported = load_config(write(tmp_path, text), {}).exported_student
    assert exported is not None
    assert (exported.folder, exported.signed_by) == (tmp_path / "street", tmp_path / "maker.pub")
    for other in ("learning: {student: {enabled: true}}\n", FEDERATION):
        assert "judged by one student" in mistakes(tmp_path, text + other)


def test_words_lie_beside_the_file_and_exclude_what_calibrates_without_them(tmp_path: Path):
    text = SMALL + "words: {model: words}\n"
    words = load_config(write(tmp_path, text), {}).words
    assert words is not None
    assert words.model == tmp_path / "words"
    for other in ("learning: {student: {enabled: true}}\n", FEDERATION):
        assert "words excludes" in mistakes(tmp_path, text + other)


def test_motion_is_left_out_only_where_somebody_else_judges(tmp_path: Path):
    text = SMALL + "learning: {motion: false}\n"
    assert "who judges?" in mistakes(tmp_path, text)
    assert not load_config(write(tmp_path, text + "words: {model: w}\n"), {}).learning.motion
