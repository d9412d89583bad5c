import pytest


def test_tracks_are_compared_with_the_truth(shell, vad_data):
    root = vad_data / "data" / "mot" / "TUD-Campus"
    code, figures = shell.json("eval", "--dataset", "mot", "--root", root)
    assert code == 0
    assert figures["dataset"] == "mot"
    assert set(figures) >= {"mota", "idf1", "misses", "false_positives", "switches", "objects"}
    assert 0 < figures["idf1"] <= 1


@pytest.mark.parametrize("dataset", ["ped2", "avenue", "shanghaitech-tracks", "mot"])
def test_a_data_set_needs_its_folder(shell, dataset):
    code, out, err = shell.run("eval", "--dataset", dataset)
    assert (code, out) == (2, "")
    assert "needs --root DIR" in err


@pytest.mark.parametrize("dataset", ["ped2", "shanghaitech-tracks", "mot"])
def test_a_folder_of_something_else_is_named(shell, dataset):
    code, out, err = shell.run("eval", "--dataset", dataset, "--root", shell.folder)
    assert (code, out) == (1, "")
    assert str(shell.folder) in err
