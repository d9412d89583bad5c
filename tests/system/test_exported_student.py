"""An exported student on a camera host: what ``vad-edge run`` says over MQTT of a clip is what
``vad-export verify --footage`` lists for it.

The clip runs in real time, once, at the rate of the analysis. On a busy machine a frame may be
dropped, and all later segments begin one frame later: they are among what is listed for a clip
that begins later, but for those that hold the hole.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from edge.evaluation.synthetic import frames
from edge.ingest.synthetic.street import Street, StreetOptions
from edge.model.spec import StudentSpec
from edge.mqtt import MqttBroker, MqttSettings
from edge.wire.keys import public_pem, secret_pem, write_once
from edge.wire.stats import HostStats, decode_stats
from edge.wire.topics import Topics
from tests.fakes.backbones import tiny_backbone
from tests.system.broker import MOSQUITTO, Mosquitto

pytest.importorskip("torch", reason="vad-export needs torch")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(400),
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]
ROOT = Path(__file__).parents[2]
TOPICS = Topics("vad", "host")
HZ = 5.0
SEGMENTS = 8
FRAMES = 16 * SEGMENTS + 8  # a rest, in which the last score is still told
WINDOW = 2  # a hole spoils the segment that holds it and the one that looks back at it
LATER = 3  # dropped frames that are put up with
ATOL = 1e-5  # messages have 6 digits
WIDTH = 8


class Listener:
    """What the host says of its camera."""

    def __init__(self, port: int) -> None:
        self.said: list[float] = []
        self.stats: list[HostStats] = []
        self._broker = MqttBroker(MqttSettings("127.0.0.1", port, "ear"))
        self._broker.subscribe(TOPICS.score("street"), self._on_score)
        self._broker.subscribe(TOPICS.stats, self._on_stats)
        self._broker.start()

    def _on_score(self, _topic: str, payload: bytes) -> None:
        score = json.loads(payload)
        if "student" in score:
            self.said.append(score["student"])

    def _on_stats(self, _topic: str, payload: bytes) -> None:
        self.stats.append(decode_stats(payload))

    def stop(self) -> None:
        self._broker.stop()

    @property
    def segments(self) -> list[float]:
        """A segment's score is told once a second while it is in force."""
        return [score for score, _ in groupby(self.said)]

    @property
    def dropped(self) -> int:
        return max((stats.cameras[0].dropped["unread"] for stats in self.stats), default=0)


def command(module: str, *arguments: object) -> dict:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments), "--format", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def encode(path: Path, planes: Sequence[np.ndarray]) -> None:
    """Without loss: the same frames whichever comes first."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=int(HZ))
        stream.width, stream.height = planes[0].shape[1], planes[0].shape[0] * 2 // 3
        stream.pix_fmt = "yuv420p"
        for each in planes:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(each, format="yuv420p")))
        container.mux(stream.encode())


def film(folder: Path) -> list[Path]:
    """The clip, and the same begun later: as it is seen after 0, 1, ... dropped frames."""
    options = StreetOptions(seed=4, width_px=160, height_px=96, fps=HZ, duration_s=FRAMES / HZ)
    planes = [frame.planes for frame in frames(Street(options), "street")]
    paths = [folder / f"clip{start}.mkv" for start in range(LATER + 1)]
    for path in paths:
        encode(path, planes[int(path.stem.removeprefix("clip")) :])
    return paths


def train(folder: Path, features: Path, rows: np.ndarray) -> None:
    """Nobody has: the weights are random. But it knows what is usual in the street's colours."""
    from edge.model.student import make_student, weights_of
    from export.dakd.folder import Training, save_training
    from export.extract.origin import read_origin

    spec = StudentSpec("dakd", WIDTH, window=WINDOW, hidden=16, attention_heads=2, reach=3)
    weights = weights_of(make_student(spec, seed=2))
    weights["network.projections.0.input_mean"] = rows.mean(axis=0)
    weights["network.projections.0.input_scale"] = rows.std(axis=0)
    weights["network.fc3.weight"] = weights["network.fc3.weight"] * np.float32(3)
    learnt = read_origin(features)
    save_training(folder, Training(spec, ("eyes",), (learnt,), weights, {}, {"seed": 2}))


def extracted(folder: Path, clip: Path) -> np.ndarray:
    """What extraction makes of the clip through the backbone, (m, d)."""
    (folder / "videos").mkdir()
    (folder / "videos" / clip.name).symlink_to(clip)
    told = ["--videos", folder / "videos", "--backbones", folder / "eyes", "--analysis-hz", HZ]
    command("export.cli", "extract", *told, "--out", folder / "seen", "--workers", 1)
    return np.load(folder / "seen" / "eyes" / "features" / "train" / f"{clip.stem}.npy")


def configure(folder: Path, port: int, clip: Path) -> Path:
    """A host that believes in one key's holder."""
    camera = {"source": str(clip), "analysis_hz": HZ, "loop": False}
    settings = {
        "host": "host",
        "mqtt": {"port": port},
        "exported_student": {"folder": "student", "signed_by": "public.pem"},
        "cameras": {"street": camera},
    }
    path = folder / "edge.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def export(folder: Path) -> None:
    """Signed, and with golden segments of the street."""
    key = ed25519.Ed25519PrivateKey.generate()
    write_once(folder / "secret.pem", secret_pem(key), 0o600)
    write_once(folder / "public.pem", public_pem(key.public_key()), 0o644)
    told = ["--out", folder / "student", "--backbone", folder / "eyes"]
    signed = ["--features", folder / "seen", "--key", folder / "secret.pem"]
    command("export.cli", "onnx", folder / "training", *told, *signed)


def listed(folder: Path, clips: Sequence[Path]) -> list[list[float]]:
    """By clip: what verification says of every segment."""
    told = ["--footage", *clips, "--key", folder / "secret.pem"]
    scores = command("export.cli", "verify", folder / "student", *told)["footage"]
    names = [clip.name for clip in clips]
    return [[one["score"] for one in scores if one["clip"] == name] for name in names]


def test_a_host_says_live_what_verification_lists(tmp_path: Path) -> None:
    clip, *begun_later = film(tmp_path)
    tiny_backbone(tmp_path / "eyes", width=WIDTH)
    rows = extracted(tmp_path, clip)
    train(tmp_path / "training", tmp_path / "seen" / "eyes", rows)
    export(tmp_path)
    expected, *later = listed(tmp_path, [clip, *begun_later])
    with Mosquitto(tmp_path) as broker:
        config = configure(tmp_path, broker.port, clip)
        footage = ["--footage", *[clip] * 8]  # enough to calibrate the student with
        command("edge.cli", "fit", "-c", config, "--camera", "street", *footage)
        ear = Listener(broker.port)
        try:
            run(config)
        finally:
            ear.stop()
    live = ear.segments
    print(f"live {live}\nlisted {expected}\ndropped {ear.dropped}")
    assert len(expected) == SEGMENTS
    assert np.abs(np.diff(expected)).min() > 10 * ATOL  # neighbours are told apart
    known = np.array([*expected, *np.concatenate(later)])
    strays = [score for score in live if np.abs(known - score).min() > ATOL]
    assert len(strays) <= WINDOW * ear.dropped
    assert len(live) - len(strays) >= SEGMENTS // 2
    if not ear.dropped:
        np.testing.assert_allclose(live, expected, atol=ATOL)


def run(config: Path) -> None:
    """To the end of the footage."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    told = [sys.executable, "-m", "edge.cli", "run", "-c", str(config)]
    done = subprocess.run(
        told, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr[-4000:]
