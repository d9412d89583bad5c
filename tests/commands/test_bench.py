import pytest

from edge.commands import bench
from tests.commands.conftest import STREET

FIGURES = {
    "cameras", "seconds", "decoded_fps", "due_fps", "analysed_fps", "dropped", "dropped_share",
    "stages_ms", "latency_ms", "rss_bytes", "cpu_cores",
}  # fmt: skip


def test_it_measures_the_live_path(shell, monkeypatch):
    monkeypatch.setattr(bench, "WARM_UP_S", 1.0)
    arguments = ("--cameras", 2, "--seconds", 1, "--source", STREET.format(seconds=40))
    code, figures = shell.json("bench", *arguments)
    assert code == 0
    assert set(figures) == FIGURES
    assert figures["cameras"] == 2
    assert figures["analysed_fps"] > 0
    assert set(figures["stages_ms"]) >= {"perceive", "score"}
    assert set(figures["dropped"]) == {"unread", "unhealthy"}
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"]


def test_a_source_that_is_not_there_is_named(shell):
    code, out, err = shell.run("bench", "--cameras", 1, "--source", "gone.mkv")
    assert (code, out) == (2, "")
    assert "gone.mkv is no file" in err


def test_labels_without_a_network_are_a_mistake(shell):
    code, _, err = shell.run("bench", "--cameras", 1, "--source", "x", "--labels", "coco.txt")
    assert code == 2
    assert "--labels goes with --model" in err


@pytest.mark.parametrize("cameras", ["0", "-2", "many"])
def test_an_impossible_number_of_cameras_is_refused(shell, cameras):
    with pytest.raises(SystemExit) as stopped:
        shell.run("bench", "--cameras", cameras, "--source", "x")
    assert stopped.value.code == 2
