"""Detectors out of checkpoints: the export says what the original says, or there is none."""

import json
import os
import pickle
import socket
import zipfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

from edge.errors import ModelError
from edge.perception.network import Network
from export.cli import main
from export.detectors import exporting
from export.detectors.exporting import export_detector
from export.detectors.original import Original, load_original, random_original
from export.detectors.parity import Parity, blobs

SIZE_PX = 160
CLASSES = 3  # that the network of the tests tells apart with some confidence
WRONG_INPUT, FAILED = 2, 1


def drawn_pictures(count: int):
    """Coloured boxes on noise: something for every channel of a network."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(count):
        picture = rng.integers(60, 120, (90, 160, 3), dtype=np.uint8)
        for _ in range(6):
            left, top, wide, high = (int(rng.integers(8, 70)) for _ in range(4))
            colour = tuple(int(value) for value in rng.integers(0, 255, 3))
            cv2.rectangle(picture, (left, top), (left + wide, top + high), colour, -1)
        pictures.append(picture)
    return pictures


def lively(pictures) -> Original:
    """Random weights whose activations and confidences differ, as a trained network's do."""
    made = random_original("yolo11n")
    network = made.yolo.model
    batch = np.concatenate([blob for _, blob in blobs(pictures, SIZE_PX)])
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        network.train()(torch.from_numpy(batch))
        for norm in norms:
            norm.momentum = 0.03
        for branch in network.eval().model[-1].cv3:
            branch[-1].weight *= 2
            branch[-1].bias[:CLASSES], branch[-1].bias[CLASSES:] = -0.5, -9
    return made


@pytest.fixture(scope="module")
def attempts():
    """What asked for the network while the tests of this file ran; all of it was refused."""
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (socket.socket, "connect"),
            (socket.socket, "connect_ex"),
            (socket.socket, "sendto"),
            (socket, "getaddrinfo"),
        ):

            def refuse(*_, name=name, **__):
                asked.append(name)
                raise OSError("no network in tests")

            patch.setattr(owner, name, refuse)
        yield asked


@pytest.fixture(scope="module", autouse=True)
def offline(attempts):
    """Neither the import of Ultralytics nor any export asks for the network."""
    random_original("yolo11n")  # imports it as the product does, before a test does by itself
    yield
    assert attempts == []


@pytest.fixture(scope="module")
def pictures():
    return drawn_pictures(15)


@pytest.fixture(scope="module")
def footage(tmp_path_factory, pictures) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, pictures) -> Path:
    path = tmp_path_factory.mktemp("weights") / "lively.pt"
    lively(pictures).yolo.save(path)
    return path


@pytest.fixture(scope="module")
def loaded(checkpoint) -> Original:
    return load_original(checkpoint)


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        given = ["detector", *arguments, "--size", SIZE_PX, "--out", "net.onnx"]
        code = main([str(argument) for argument in given])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("precision", exporting.PRECISIONS)
def test_an_export_says_what_the_original_says(shell, checkpoint, footage, precision):
    code, out, _ = shell(
        checkpoint, "--precision", precision, "--calibrate", footage, "--format", "json"
    )
    answer = json.loads(out)
    assert code == 0
    assert answer.pop("max_abs_error") <= {"fp32": 1e-3, "fp16": 0.25, "int8": 1}[precision]
    assert answer.pop("matched") >= {"fp32": 0.99, "fp16": 0.95, "int8": 0.8}[precision]
    assert answer == {
        "path": "net.onnx",
        "layout": "ultralytics",
        "classes": [str(index) for index in range(80)],
        "size_px": SIZE_PX,
        "precision": precision,
        "licence": "AGPL-3.0",
    }


def test_the_file_tells_labels_precision_and_licence(shell, checkpoint, footage, tmp_path):
    (tmp_path / "labels.txt").write_text("\n".join(f"thing {index}" for index in range(80)))
    code, _, _ = shell(checkpoint, "--calibrate", footage, "--labels", "labels.txt")
    model = onnx.load(tmp_path / "net.onnx")
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert code == 0
    assert len(facts) == len(model.metadata_props)
    assert facts["licence_note"].startswith("AGPL-3.0")
    assert (facts["task"], facts["precision"]) == ("detect", "fp32")
    assert Network(tmp_path / "net.onnx").labels[5] == "thing 5"


def test_batches_and_sizes_are_free(loaded, pictures, tmp_path):
    path = tmp_path / "net.onnx"
    export_detector(loaded, path, pictures=pictures[:2], size_px=SIZE_PX, precision="fp32")
    tall = np.ascontiguousarray(pictures[0].transpose(1, 0, 2))
    network = Network(path)
    together = network.detect([pictures[0], tall, pictures[1]])
    for picture, found in zip((pictures[0], tall, pictures[1]), together, strict=True):
        (alone,) = network.detect([picture])
        assert len(alone)
        assert np.allclose(alone.boxes_xyxy, found.boxes_xyxy, atol=1e-2)


def test_an_export_asks_nothing_of_the_network(attempts, loaded, pictures, tmp_path):
    path = tmp_path / "net.onnx"
    export_detector(loaded, path, pictures=pictures[:2], size_px=SIZE_PX, precision="fp32")
    assert attempts == []
    with pytest.raises(OSError, match="no network"):  # or this test could not fail
        socket.create_connection(("localhost", 9))
    attempts.clear()


def test_without_footage_a_street_is_drawn(shell):
    code, out, _ = shell("yolo26n", "--random")
    assert code == 0
    assert "80 classes, fp32" in out


def test_a_name_stands_for_the_checkpoint_in_this_folder(
    shell, checkpoint, footage, tmp_path, caplog
):
    (tmp_path / "yolo11n.pt").write_bytes(checkpoint.read_bytes())
    assert shell("yolo11n", "--calibrate", footage)[0] == 0
    assert "load none of people you do not trust" in caplog.text


def test_a_name_without_checkpoint_says_what_to_do(shell):
    code, _, err = shell("yolo11n")
    assert code == WRONG_INPUT
    assert "yolo11n.pt is not in this folder" in err
    assert "--download" in err


def test_a_failed_download_says_so(shell, monkeypatch):
    from ultralytics.utils import downloads

    def fail(_):
        raise ConnectionError("Environment may be offline")

    monkeypatch.setattr(downloads, "attempt_download_asset", fail)
    code, _, err = shell("yolo11n", "--download")
    assert code == WRONG_INPUT
    assert "yolo11n.pt: cannot be downloaded: Environment may be offline" in err


def test_a_download_is_used(shell, monkeypatch, checkpoint, footage, tmp_path):
    from ultralytics.utils import downloads

    def fetch(path):
        if not Path(path).exists():
            Path(path).write_bytes(checkpoint.read_bytes())
        return path

    monkeypatch.setattr(downloads, "attempt_download_asset", fetch)
    code, _, err = shell("yolov8n", "--download", "--calibrate", footage)
    assert (code, err) == (0, "")
    assert (tmp_path / "yolov8n.pt").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.pt"], "nowhere.pt: no such file"),
        (["best.pt", "--random"], "--random and --download take one of"),
        (["yolo11n", "--random", "--precision", "int8"], "needs --calibrate"),
        (["yolo11n", "--random", "--size", "100"], "multiple of 32"),
        (["yolo11n", "--random", "--calibrate", "nowhere"], "nowhere: no such video"),
        (["yolo11n", "--random", "--labels", "nowhere.txt"], "nowhere.txt: cannot read"),
    ],
)
def test_a_wrong_command_line_is_explained(tmp_path, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(tmp_path)
    assert main(["detector", *arguments, "--out", "net.onnx"]) == WRONG_INPUT
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("where", ["zip", "pickle"])
def test_code_in_a_checkpoint_does_not_run(tmp_path, where):
    trap, path = tmp_path / "trap", tmp_path / "evil.pt"
    hostile = {"model": Payload(trap), "train_args": {}}
    if where == "zip":
        torch.save(hostile, path)
    else:
        path.write_bytes(pickle.dumps(hostile))
    with pytest.raises(ModelError, match=r"evil\.pt: no Ultralytics checkpoint"):
        load_original(path)
    assert not trap.exists()


def zipped(name: str) -> bytes:
    path = Path(name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return path.read_bytes()


@pytest.mark.parametrize(
    "damage", ["empty", "text", "other zip", "truncated", "no model", "tensor"]
)
def test_what_is_no_checkpoint_is_refused(tmp_path, monkeypatch, checkpoint, damage):
    monkeypatch.chdir(tmp_path)
    path, whole = tmp_path / "bad.pt", checkpoint.read_bytes()
    if damage in ("no model", "tensor"):
        torch.save({"epoch": 3} if damage == "no model" else torch.zeros(3), path)
    else:
        contents = {
            "empty": b"",
            "text": b"not a checkpoint " * 40,
            "other zip": zipped("other.zip"),
            "truncated": whole[: len(whole) // 2],
        }
        path.write_bytes(contents[damage])
    with pytest.raises(ModelError, match=r"bad\.pt: no Ultralytics checkpoint"):
        load_original(path)


@pytest.mark.parametrize("task", ["segment", "classify"])
def test_another_task_is_refused(tmp_path, checkpoint, task):
    from ultralytics import YOLO

    path = tmp_path / "other.pt"
    YOLO({"segment": "yolo11n-seg.yaml", "classify": "yolo11n-cls.yaml"}[task]).save(path)
    with pytest.raises(ModelError, match=f"a model for the task '{task}'"):
        load_original(path)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (("person", "car"), "tells 80 classes apart, but the file of labels has 2"),
        (tuple(str(index) for index in reversed(range(80))), "in another order"),
    ],
)
def test_labels_that_do_not_fit_are_refused(loaded, pictures, tmp_path, labels, told):
    path = tmp_path / "net.onnx"
    with pytest.raises(ModelError, match=told):
        export_detector(
            loaded, path, pictures=pictures, size_px=SIZE_PX, precision="fp32", labels=labels
        )
    assert not path.exists()


@pytest.mark.parametrize("wrong", ["weights", "precision"])
def test_an_export_that_differs_is_not_written(monkeypatch, loaded, pictures, tmp_path, wrong):
    """As if the exporter, or the quantiser, had made another network of it."""
    graph = onnx.load_from_string(loaded.to_onnx(SIZE_PX))
    last = next(i for i in graph.graph.initializer if i.name.endswith("cv3.0.2.bias"))
    last.CopyFrom(onnx.numpy_helper.from_array(np.full(80, 0.4, np.float32), last.name))
    spoilt = bytes(graph.SerializeToString())
    if wrong == "weights":
        monkeypatch.setattr(Original, "to_onnx", lambda self, size_px: spoilt)
    else:
        monkeypatch.setattr(exporting, "quantise", lambda *_, **__: spoilt)
    path = tmp_path / "net.onnx"
    precision = "fp32" if wrong == "weights" else "int8"
    with pytest.raises(ModelError, match="nothing was written"):
        export_detector(loaded, path, pictures=pictures, size_px=SIZE_PX, precision=precision)
    assert not path.exists()


@pytest.mark.parametrize(
    ("parity", "precision", "passes"),
    [
        (Parity(1e-6, 0, None), "fp32", True),
        (Parity(float("nan"), 0, None), "fp32", False),
        (Parity(0.01, 9, 1.0), "fp32", False),
        (Parity(1e-6, 9, 0.9), "fp32", False),
        (Parity(0.01, 9, 1.0), "fp16", True),
        (Parity(0.9, 9, 0.9), "int8", True),
        (Parity(0.1, 9, 0.5), "int8", False),
        (Parity(0.1, 0, None), "int8", False),
    ],
)
def test_each_precision_has_its_bar(parity, precision, passes):
    if passes:
        parity.check(precision)
    else:
        with pytest.raises(ModelError):
            parity.check(precision)


def test_an_eight_bit_network_is_not_compared_on_what_it_learnt_from(
    monkeypatch, loaded, pictures, tmp_path
):
    seen = {}

    def quantise(graph, inputs, **_):
        seen["calibrated"] = [one["images"].tobytes() for one in inputs]
        return graph

    def compare(_original, _path, pictures, size_px):
        seen["compared"] = [blob.tobytes() for _, blob in blobs(pictures, size_px)]
        return Parity(0.0, 1, 1.0)

    monkeypatch.setattr(exporting, "quantise", quantise)
    monkeypatch.setattr(exporting, "compare", compare)
    export_detector(
        loaded, tmp_path / "net.onnx", pictures=pictures, size_px=SIZE_PX, precision="int8"
    )
    assert (len(seen["calibrated"]), len(seen["compared"])) == (12, 3)
    assert not set(seen["calibrated"]) & set(seen["compared"])
