from collections import Counter

import numpy as np
import pytest

from aggregator.simulate import streets as streets_module
from aggregator.simulate.clusters import purity
from aggregator.simulate.street_captions import caption
from aggregator.simulate.street_clips import CLASSES, StreetClip
from aggregator.simulate.streets import PUBLIC, STREETS, Place, Streets

SHORT_S = 15.0
FEW = [Place(each.name, each.kind, each.scene_seed, SHORT_S) for each in STREETS[:2]]
PUBLIC_FEW = [Place(each.name, each.kind, each.scene_seed, SHORT_S) for each in PUBLIC[:2]]


@pytest.fixture(scope="module", params=[True, False], ids=["normal", "weak"])
def streets(request: pytest.FixtureRequest) -> Streets:
    with pytest.MonkeyPatch.context() as patch:  # as little as tells them apart
        patch.setattr(streets_module, "NORMAL_CLIPS", 1)
        patch.setattr(streets_module, "ABNORMAL_CLIPS", 1)
        patch.setattr(streets_module, "TEST_CLIPS", 1)
        patch.setattr(streets_module, "PUBLIC_AMOUNTS", (1, 1, 0))
        return Streets.read(normal=request.param, streets=FEW, public=PUBLIC_FEW)


def test_there_are_twelve_streets_four_of_each_kind_and_public_ones_elsewhere():
    assert Counter(each.kind for each in STREETS) == {"precinct": 4, "road": 4, "shop": 4}
    scenes = [each.scene_seed for each in [*STREETS, *PUBLIC]]
    assert len(set(scenes)) == len(scenes)
    kinds = {each.name: each.kind for each in STREETS}
    assert purity({k: [n for n in kinds if kinds[n] == k] for k in set(kinds.values())}, kinds) == 1


def test_only_judges_know_the_kind(streets: Streets):
    problem = streets.problem(seed=0, labelled_share=1)
    assert set(problem.hidden_kinds) == {each.name for each in problem.participants}
    for participant in problem.participants:
        kind = problem.hidden_kinds[participant.name]
        assert kind not in repr([participant.name, *(video.name for video in participant.videos)])


def test_everybody_counts_what_came_by(streets: Streets):
    shares = {each.name: each.objects for each in streets.participants}
    assert all(share.shape == (len(CLASSES),) for share in shares.values())
    assert all(share.sum() == pytest.approx(1) for share in shares.values())
    car = CLASSES.index("car")
    assert shares["street-02"][car] > 0.1 > shares["street-01"][car]  # a road, a precinct


def test_values_are_of_one_width_and_on_nobodys_own_scale(streets: Streets):
    problem = streets.problem(seed=0, labelled_share=0)
    videos = [video for each in problem.participants for video in each.videos]
    assert {video.values.shape[1] for video in videos} == {problem.width}
    assert {video.values.shape[1] for video in streets.public().videos} == {problem.width}
    medians = [np.median(video.values, axis=0) for video in videos]
    assert np.abs(medians[0] - medians[-1]).max() > 0.3


def test_density_trains_on_normal_clips_alone_and_the_detector_on_both(streets: Streets):
    abnormal = [
        v.abnormal for v in streets.problem(seed=0, labelled_share=1).participants[0].videos
    ]
    assert abnormal[0] is False
    assert len(abnormal) == (1 if streets.head == "density" else 2)
    hidden = streets.problem(seed=0, labelled_share=0).participants[0].videos
    assert all(video.abnormal is None for video in hidden)


def test_the_judge_scores_every_frame(streets: Streets):
    problem = streets.problem(seed=0, labelled_share=0)
    models = {each.name: {} for each in problem.participants}
    figures = problem.bench.figures(models, lambda _, values: np.abs(values).max(axis=1))
    assert set(models) == {n.removeprefix("auc_of/") for n in figures if n.startswith("auc_of/")}
    assert 0 <= figures["auc_micro_causal"] <= 1


def test_public_clips_say_what_they_show(streets: Streets):
    videos = streets.public().videos
    assert len(videos) == 4
    assert all(("walk" in video.caption) for video in videos)
    assert all((video.category == "normal") != video.abnormal for video in videos)
    assert not {video.name for video in videos} & {
        video.name for each in streets.participants for video in each.videos
    }


def test_words_and_numbers_of_a_caption():
    deeds = Counter({("person", "walking"): 12, ("bicycle", "cycling"): 1, ("car", "driving"): 3})
    clip = StreetClip("a", (), np.zeros(0, bool), np.zeros(4, np.int64), deeds, ())
    assert caption(clip) == "12 people walk, three cars drive, one person rides a bicycle"
