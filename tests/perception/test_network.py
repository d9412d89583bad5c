import numpy as np
import pytest
from onnx import TensorProto

from edge.errors import ModelError
from edge.perception.layouts import Layout
from edge.perception.network import Network, NetworkSettings
from tests.perception.scenes import picture

CANVAS = (64, 64)
ANCHORS = 64 + 16 + 4
NAMES = {"names": "{0: 'person', 1: 'bicycle'}", "task": "detect"}
WIDE = picture(width=128, height=64)  # half size inside the canvas, 16 grey rows above and below
SURE = NetworkSettings(confidence=0.3)


def ultralytics(*rows):
    """Rows of centre x, y, width, height, confidence of two classes."""
    output = np.zeros((6, ANCHORS), np.float32)
    for place, row in enumerate(rows):
        output[:, place] = row
    return output


def end_to_end(*rows):
    output = np.zeros((300, 6), np.float32)
    output[: len(rows)] = np.array(rows).reshape(-1, 6)
    return output


def yolox(cell, row):
    output = np.zeros((ANCHORS, 7), np.float32)
    output[cell] = row
    return output


def labels_file(tmp_path, *labels):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(labels) + "\n")
    return path


def test_ultralytics_layout_gives_boxes_of_the_picture(build_network):
    path = build_network(ultralytics([32, 32, 16, 8, 0.2, 0.9]), metadata=NAMES)
    network = Network(path, settings=SURE)
    (found,) = network.detect([WIDE])
    assert network.labels == ("person", "bicycle")
    np.testing.assert_allclose(found.boxes_xyxy, [[48, 24, 80, 40]])
    assert found.confidence.tolist() == pytest.approx([0.9])
    assert found.class_id.tolist() == [1]


def test_end_to_end_layout_gives_boxes_of_the_picture(build_network):
    path = build_network(end_to_end([24, 28, 40, 36, 0.8, 1]), metadata=NAMES)
    (found,) = Network(path, settings=SURE).detect([WIDE])
    np.testing.assert_allclose(found.boxes_xyxy, [[48, 24, 80, 40]])
    assert found.class_id.tolist() == [1]


def test_yolox_layout_is_decoded_on_its_grid(build_network, tmp_path):
    # Cell 64 + 5 is column 1, row 1 of the second grid (stride 16); its letterbox is top left.
    row = [0.5, 0.5, np.log(2), np.log(1), 0.9, 0.1, 0.8]
    path = build_network(yolox(69, row))
    labels = labels_file(tmp_path, "person", "bicycle")
    (found,) = Network(path, labels=labels, settings=SURE).detect([WIDE])
    np.testing.assert_allclose(found.boxes_xyxy, [[16, 32, 80, 64]], atol=1e-4)
    assert found.confidence.tolist() == pytest.approx([0.72])


def test_one_class_yolox_is_not_taken_for_finished_boxes(build_network, tmp_path):
    path = build_network(np.zeros((ANCHORS, 6)))
    Network(path, labels=labels_file(tmp_path, "person"))
    with pytest.raises(ModelError, match="1 classes"):
        Network(path, labels=labels_file(tmp_path, "person", "bicycle"))


def test_overlapping_boxes_of_a_class_are_one_and_of_two_classes_two(build_network):
    twice = ultralytics([32, 32, 16, 8, 0.9, 0], [33, 32, 16, 8, 0.8, 0], [32, 32, 16, 8, 0, 0.7])
    (found,) = Network(build_network(twice, metadata=NAMES), settings=SURE).detect([WIDE])
    assert found.confidence.tolist() == pytest.approx([0.9, 0.7])


def test_only_wanted_classes_are_kept(build_network):
    both = ultralytics([32, 32, 16, 8, 0.9, 0], [16, 32, 16, 8, 0, 0.8])
    settings = NetworkSettings(confidence=0.3, classes=["bicycle"])
    (found,) = Network(build_network(both, metadata=NAMES), settings=settings).detect([WIDE])
    assert found.class_id.tolist() == [1]


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_any_number_of_pictures_goes_through_any_batch(build_network, batch, count):
    path = build_network(ultralytics([32, 32, 16, 8, 0.9, 0]), metadata=NAMES, batch=batch)
    found = Network(path, settings=SURE).detect([WIDE] * count)
    assert [len(one) for one in found] == [1] * count


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8])
def test_input_types_are_served(build_network, kind):
    path = build_network(ultralytics([32, 32, 16, 8, 0.9, 0]), metadata=NAMES, kind=kind)
    assert len(Network(path, settings=SURE).detect([WIDE])[0]) == 1


def test_pictures_of_different_sizes_share_a_call(build_network):
    path = build_network(ultralytics([32, 32, 16, 8, 0.9, 0]), metadata=NAMES)
    wide, square = Network(path, settings=SURE).detect([WIDE, picture(width=64, height=64)])
    np.testing.assert_allclose(wide.boxes_xyxy, [[48, 24, 80, 40]])
    np.testing.assert_allclose(square.boxes_xyxy, [[24, 28, 40, 36]])


def test_a_free_input_takes_the_size_that_the_network_was_trained_with(build_network):
    metadata = NAMES | {"imgsz": "[64, 64]"}
    path = build_network(end_to_end([0, 0, 64, 32, 0.9, 0]), metadata=metadata, free_size=True)
    (found,) = Network(path, settings=SURE).detect([WIDE])
    np.testing.assert_allclose(found.boxes_xyxy, [[0, 0, 128, 64]])  # a canvas of 64 × 32


@pytest.mark.parametrize(
    ("output", "metadata", "says"),
    [
        (np.zeros((7, 33)), NAMES, "none of"),
        (np.zeros((8, ANCHORS)), NAMES, "4 classes"),
        (np.zeros((6, ANCHORS)), {}, "no labels"),
        (np.zeros((6, ANCHORS)), NAMES | {"task": "segment"}, "segment"),
    ],
)
def test_networks_that_do_not_fit_are_refused(build_network, output, metadata, says):
    path = build_network(output, metadata=metadata)
    with pytest.raises(ModelError, match=says) as caught:
        Network(path)
    assert str(path) in str(caught.value)


def test_a_layout_that_the_output_contradicts_is_refused(build_network):
    path = build_network(ultralytics(), metadata=NAMES)
    with pytest.raises(ModelError, match="yolox"):
        Network(path, settings=NetworkSettings(layout=Layout.YOLOX))


def test_an_unknown_class_is_refused_by_name(build_network):
    path = build_network(ultralytics(), metadata=NAMES)
    with pytest.raises(ModelError, match="giraffe"):
        Network(path, settings=NetworkSettings(classes=["giraffe"]))


@pytest.mark.parametrize("content", [b"", b"not a network", None])
def test_broken_files_are_refused(tmp_path, content):
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        Network(path)


def test_a_truncated_file_is_refused(build_network):
    path = build_network(ultralytics(), metadata=NAMES)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ModelError, match="again"):
        Network(path)


def test_empty_labels_are_refused(build_network, tmp_path):
    with pytest.raises(ModelError, match="no labels"):
        Network(build_network(ultralytics()), labels=labels_file(tmp_path, ""))


def test_yolox_nano_finds_the_people_of_real_footage(vad_data):
    import cv2

    models = vad_data / "models"
    capture = cv2.VideoCapture(str(vad_data / "data" / "vtest" / "vtest.avi"))
    _, bgr = capture.read()
    capture.release()
    settings = NetworkSettings(confidence=0.5)
    network = Network(models / "yolox_nano.onnx", labels=models / "coco80.txt", settings=settings)
    one, again = network.detect([bgr, bgr])
    names = [network.labels[index] for index in one.class_id]
    assert names.count("person") >= 4
    assert "car" in names
    np.testing.assert_array_equal(one.boxes_xyxy, again.boxes_xyxy)
