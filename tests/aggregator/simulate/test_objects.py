"""The bench of cameras, by energies that need no student."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.simulate.objects import ObjectBench, Seen
from aggregator.simulate.scene_statistics import NO_CLASSES
from aggregator.simulate.tracks_normal import NormalTracks
from edge.errors import DatasetError
from edge.scoring.normality import NearestNormal
from tests.aggregator.simulate.footage import walkers


@pytest.fixture
def scenario(tracks: Path) -> NormalTracks:
    return NormalTracks.read(tracks)


def nearest(scenario: NormalTracks):
    rows = [np.concatenate([v.values for v in p.videos]) for p in scenario.participants]
    fitted = [NearestNormal.fit(each, size=500) for each in rows]
    return {
        p.name: {"of": k} for k, p in enumerate(scenario.participants)
    }, lambda model, values: fitted[model["of"]].distance(values)


def test_every_camera_trains_and_only_labelled_ones_are_judged(scenario: NormalTracks):
    problem = scenario.problem(seed=0, labelled_share=0)
    assert [each.name for each in problem.participants] == ["01", "02"]
    assert [len(each.videos) for each in problem.participants] == [4, 4]
    assert [camera.participant for camera in problem.bench.cameras] == ["01"]
    assert scenario.left_out == ("camera 02: trains, but has no labelled test clip", NO_CLASSES)


def test_rows_are_standardised_by_their_own_camera(scenario: NormalTracks):
    for participant in scenario.participants:
        rows = np.concatenate([video.values for video in participant.videos])
        np.testing.assert_allclose(np.median(rows, axis=0), 0, atol=0.5)


def test_a_runner_is_found(scenario: NormalTracks):
    models, score = nearest(scenario)
    figures = scenario.problem(seed=0, labelled_share=0).bench.figures(models, score)
    assert figures["auc_micro_causal"] > 0.85


def test_the_unit_of_an_energy_does_not_matter(scenario: NormalTracks):
    models, score = nearest(scenario)
    bench = scenario.problem(seed=0, labelled_share=0).bench
    shifted = bench.figures(models, lambda model, values: 7 * score(model, values) - 100)
    assert shifted == pytest.approx(bench.figures(models, score), abs=1e-3)


def test_frames_between_two_analysed_ones_inherit_and_every_frame_is_judged(
    scenario: NormalTracks,
):
    (camera,) = scenario.bench.cameras
    for clips in camera.clips(lambda table: np.abs(table.values[:, 0])):
        assert [len(clip.scores) for clip in clips] == [240, 240]
        for clip in clips:
            np.testing.assert_array_equal(clip.scores[0::3], clip.scores[2::3])


def test_the_students_own_figure_is_without_the_term_of_speed(scenario: NormalTracks):
    models, _ = nearest(scenario)
    bench = scenario.problem(seed=0, labelled_share=0).bench
    blind = bench.figures(models, lambda model, values: np.zeros(len(values), np.float32))
    assert blind["auc_student_micro_causal"] == pytest.approx(0.5, abs=0.02)
    assert blind["auc_micro_causal"] > 0.85  # it is the runner's speed that is strange

    (camera,) = bench.cameras
    alone = ObjectBench((replace(camera, normal=_still(camera.normal), test=_still(camera.test)),))
    figures = bench.figures(*nearest(scenario))
    expected = alone.figures(*nearest(scenario))
    assert figures["auc_student_micro_causal"] == expected["auc_micro_causal"]


def _still(seen: Seen) -> Seen:
    return replace(seen, beside=())


def test_a_folder_whose_labels_fit_no_camera_is_refused(tracks: Path):
    np.savez(tracks / "tracks_test.npz", **{"03_0001": walkers(96, 0)})
    (tracks / "test_frame_labels.json").write_text('{"03_0001": [0, 1]}')
    with pytest.raises(DatasetError, match="no camera has both"):
        NormalTracks.read(tracks)


def test_a_client_has_several_cameras_and_the_server_its_clips(tracks: Path):
    owners = {"server": ["02_003", "02_0002"], "both": ["01_000", "01_001", "01_0001", "02_000"]}
    scenario = NormalTracks.read(tracks, owners=owners, public="server")
    (both,) = scenario.participants
    assert [video.name for video in both.videos] == ["01_000", "01_001", "02_000"]
    assert {camera.participant for camera in scenario.bench.cameras} == {"both"}
    assert [len(camera.labels) for camera in scenario.bench.cameras] == [1]
    assert both.objects.sum() == pytest.approx(1)
    public = scenario.public()
    assert [(video.name, video.abnormal) for video in public.videos] == [
        ("02_003", False),
        ("02_0002", True),
    ]
    assert all(video.caption for video in public.videos)
    assert public.widths[0] == scenario.problem(seed=0, labelled_share=0).width


def test_each_participant_has_a_figure_of_its_own(scenario: NormalTracks):
    models, score = nearest(scenario)
    figures = scenario.problem(seed=0, labelled_share=0).bench.figures(models, score)
    assert figures["auc_of/01"] == figures["auc_micro_causal"]  # it alone has labels
