import json

import av
import numpy as np
import pytest

from edge.errors import StorageError
from edge.evaluation.synthetic import frames, labels, write_dataset
from edge.ingest.synthetic import Planted, Street, StreetOptions

RATE_HZ = 10.0
NORMAL = StreetOptions(width_px=160, height_px=90, fps=RATE_HZ, duration_s=1.5)
ODD = StreetOptions(
    width_px=160, height_px=90, fps=RATE_HZ, duration_s=3, seed=1,
    planted=(Planted("dropped_object", 1.0),),
)  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("street")
    write_dataset(root, train={"01": Street(NORMAL)}, test={"a": Street(ODD)}, rate_hz=RATE_HZ)
    return root


def test_frames_and_labels_go_together():
    street = Street(ODD)
    shown, marked = list(frames(street, "gate")), labels(street)
    assert len(shown) == len(marked) == 30
    assert not marked[:10].any()
    assert marked[10:].all()
    assert [frame.index for frame in shown] == list(range(30))
    assert np.allclose(np.diff([frame.time_s for frame in shown]), 0.1)


def test_the_videos_hold_every_frame_nearly_as_drawn(dataset):
    with av.open(str(dataset / "video" / "test" / "a.mkv")) as container:
        assert float(container.streams.video[0].average_rate) == RATE_HZ
        luma = [frame.to_ndarray(format="yuv420p")[:90] for frame in container.decode(video=0)]
    drawn = [frame.luma for frame in frames(Street(ODD), "a")]
    assert len(luma) == len(drawn)
    errors = [np.abs(a.astype(int) - b).mean() for a, b in zip(luma, drawn, strict=True)]
    assert max(errors) < 4
    assert (dataset / "video" / "train" / "01.mkv").is_file()


def test_the_annotations_agree_with_the_streets(dataset):
    marked = json.loads((dataset / "annotations" / "test_frame_labels.json").read_text())
    assert marked == {"a": labels(Street(ODD)).astype(int).tolist()}
    lines = (dataset / "annotations" / "test_objects.jsonl").read_text().splitlines()
    objects = [json.loads(line) for line in lines]
    anomalous = {each["frame"] for each in objects if each["anomalous"]}
    assert anomalous == set(np.flatnonzero(marked["a"]))
    assert {"clip", "frame", "object_id", "species", "action", "box_xyxy", "anomalous"} == set(
        objects[0]
    )


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "video").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        write_dataset(tmp_path, train={}, test={}, rate_hz=RATE_HZ)
