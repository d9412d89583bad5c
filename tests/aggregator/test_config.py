from pathlib import Path

import pytest

from aggregator.config import load_config
from aggregator.strategies.registry import make_strategy
from edge.errors import ConfigError
from edge.wire.rounds import Mode

SHIPPED = Path(__file__).parents[2] / "configs" / "aggregator.yaml"
SMALL = "federation: street\nmodel: m.safetensors\n"


def load(folder: Path, text: str, environment=None):
    path = folder / "aggregator.yaml"
    path.write_text(text)
    return load_config(path, environment or {})


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return str(caught.value)


def test_the_shipped_file_loads():
    config = load_config(SHIPPED, {})
    assert config.rounds.mode is Mode.SYNCHRONOUS
    assert config.keys_dir.is_absolute()


def test_the_shipped_file_s_optional_parts_load_too(tmp_path: Path):
    text = SHIPPED.read_text().replace("compression: int4             #", "#")
    for line in ("privacy:", "  clip_norm: 1.0", "  noise_multiplier: 1.0", "metrics:",
                 "  port: 9464", "secure:", "  threshold: 2", "  max_examples: 100000",
                 "  step_timeout_s: 60"):  # fmt: skip
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    config = load(tmp_path, text)
    assert config.secure is not None
    assert config.metrics is not None


def test_the_shipped_file_s_clusters_and_distillation_load_too(tmp_path: Path):
    text = SHIPPED.read_text()
    begin, end = text.index("strategy:"), text.index("# strategy:")
    text = text[:begin] + text[end:]  # instead of the one that is not commented
    for heading in ("strategy", "distillation"):
        begin = text.index(f"# {heading}:")
        end = text.index("\n\n", begin)
        text = text[:begin] + text[begin:end].replace("\n# ", "\n")[2:] + text[end:]
    config = load(tmp_path, text)
    strategy = make_strategy(config.strategy.name, **config.strategy.options)
    assert strategy.clustering
    assert strategy.classes == ("person", "bicycle", "car", "other")
    assert config.distillation.public.resolve() == tmp_path.parent / "public"


def test_paths_count_from_the_file(tmp_path: Path):
    config = load(tmp_path, SMALL + "mqtt: {tls: {ca: ca.crt}}\nwords: clip\n")
    assert config.model == tmp_path / "m.safetensors"
    assert config.words == tmp_path / "clip"
    assert config.mqtt.tls.ca == tmp_path / "ca.crt"


def test_a_secret_comes_from_the_environment(tmp_path: Path):
    text = SMALL + 'mqtt: {password: "{VAD_AGGREGATOR_P}"}\n'
    config = load(tmp_path, text, {"VAD_AGGREGATOR_P": "hunter2"})
    assert config.mqtt.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(config)
    assert ":3: " in mistakes(tmp_path, SMALL + "mqtt: {password: hunter2}\n")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("quorums: 2\n", 3, "no such setting"),
        ("rounds:\n  quorum: 0\n", 4, "quorum"),
        ("rounds:\n  quorum: 3\n  close_at: 2\n", 3, "below the quorum"),
        ("rounds:\n  max_staleness: 2\n", 3, "mode: buffered"),
        ("rounds:\n  mode: buffered\n", 3, "needs max_staleness"),
        ("privacy: {clip_norm: -1}\n", 3, "clip_norm"),
        ("compression: zip\n", 3, "compression"),
        ("plan: {epochs: 2024-01-01}\n", 3, "plan"),
        ("distillation: {timeout_s: 1}\n", 3, "public"),
        ("distillation:\n  public: x\n  options:\n    epoch: 1\n", 6, "no such setting"),
        ("distillation:\n  public: x\n  options: {threshold: 2}\n", 5, "threshold must be in"),
        ("mqtt:\n  tls:\n    ca: x\n    cert: y\n", 4, "belong together"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, what: str):
    said = mistakes(tmp_path, SMALL + text)
    assert f"aggregator.yaml:{line}: " in said
    assert what in said


SECURE = "secure: {threshold: 2}\nprivacy: {clip_norm: 1}\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("secure: {threshold: 2}\n", "clip_norm"),
        (SECURE + "rounds: {mode: buffered, max_staleness: 1}\n", "synchronous"),
        (SECURE + "compression: int8\n", "exclude each other"),
        (SECURE + "rounds: {quorum: 1}\n", "above rounds.quorum"),
        (SECURE + "rounds: {quorum: 4}\n", "more than half"),
    ],
)
def test_what_cannot_be_combined_with_secure_aggregation_is_told_at_the_start(
    tmp_path: Path, text: str, what: str
):
    assert what in mistakes(tmp_path, SMALL + text)
