"""The protocol on a tiny street: people who walk, then one who cycles."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from edge.analysis import LearningPlan
from edge.domain.frame import Frame
from edge.errors import DatasetError, NotLearntError
from edge.evaluation.clips import Clip
from edge.evaluation.synthetic import frames, labels
from edge.evaluation.video import PAUSE_S, Footage, evaluate_video
from edge.ingest.synthetic import Planted, Street, StreetOptions
from edge.perception.perception import Perception
from edge.scoring.model import ScoringOptions

RATE_HZ = 10.0
PLAN = LearningPlan(period_s=1e9, alarms_per_day=2.0, options=ScoringOptions(size=100))
TINY = {"width_px": 160, "height_px": 90, "fps": RATE_HZ}
NORMAL = Street(StreetOptions(**TINY, duration_s=16.0, seed=1))
ODD = Street(StreetOptions(**TINY, duration_s=9.0, seed=2, planted=(Planted("cycling", 4.0),)))


@dataclass
class Watched(Perception):
    """Notes the time of every frame that it is shown."""

    time_s: list[float] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def observe(self, frames):
        self.time_s += [frame.time_s for frame in frames]
        return super().observe(frames)


@pytest.fixture(scope="module")
def normal() -> Footage:
    shown = list(frames(NORMAL, "x"))
    return Footage("walkers", lambda: iter(shown))


@pytest.fixture(scope="module")
def odd() -> Footage:
    shown = list(frames(ODD, "x"))
    return Footage("cyclist", lambda: iter(shown), labels(ODD))


def part(footage: Footage, frames: int) -> Footage:
    """Its beginning, with the labels of that."""
    return clip("part", list(footage.open())[:frames], footage.labels[:frames])


def clip(name: str, shown: list[Frame], marked) -> Footage:
    """As the reader of clip folders has it: labels must fit the frames."""
    known = Clip(name, path=f"{name}.mkv", labels=np.array(marked, bool))
    return Footage(name, lambda: known.frames(lambda _: iter(shown)), known.labels)


def evaluate(train, test, *, analysis_hz=None, perception=None, **options):
    return evaluate_video(
        "street",
        train,
        test,
        perception=perception or Perception(),
        plan=PLAN,
        analysis_hz=analysis_hz,
        **options,
    )


@pytest.fixture(scope="module")
def result(normal: Footage, odd: Footage):
    return evaluate([normal], [odd])


def test_the_cyclist_is_found(result):
    report, (scored,) = result
    assert report.auc["micro"]["causal"] > 0.9
    assert set(report.baselines) == {"largest_frame_difference", "fastest_object"}
    assert report.frame_hz == pytest.approx(RATE_HZ)
    assert (report.clips, report.left_out) == (("cyclist",), ())
    assert scored.analysed == len(scored.clip.scores) == 90
    assert report.fps > 0


@pytest.mark.parametrize("cut", [1, 47])
def test_cutting_off_the_future_changes_no_score(normal, odd, result, cut: int):
    _, (shorter,) = evaluate([normal], [part(odd, cut)])
    whole = result[1][0]
    np.testing.assert_array_equal(shorter.clip.scores, whole.clip.scores[:cut])
    for name, baseline in shorter.baselines.items():
        np.testing.assert_array_equal(baseline.scores, whole.baselines[name].scores[:cut])


def test_frames_that_are_not_analysed_inherit_the_latest_score(normal: Footage, odd: Footage):
    report, (scored,) = evaluate([normal], [odd], analysis_hz=RATE_HZ / 2)
    assert scored.analysed == 45
    assert len(scored.clip.scores) == 90
    assert report.frame_hz == pytest.approx(RATE_HZ)
    for series in (scored.clip, *scored.baselines.values()):
        changed = np.flatnonzero(np.diff(series.scores)) + 1
        assert len(changed) > 10
        assert (changed % 2 == 0).all()  # at the frames that are looked at, never between
    assert report.auc["micro"]["causal"] > 0.8


@pytest.mark.parametrize("labels_too", [-3, 5])
def test_a_clip_whose_labels_do_not_fit_is_left_out_and_named(normal, odd, labels_too: int):
    shown = list(odd.open())
    wrong = clip("wrong", shown, [0] * (len(shown) + labels_too))
    report, scored = evaluate([normal], [wrong, odd], left_out=["c: no labels"])
    assert [each.name for each in scored] == ["cyclist"]
    assert report.clips == ("cyclist",)
    assert report.left_out[0] == "c: no labels"
    assert "wrong.mkv: " in report.left_out[1]
    assert f"but {len(shown) + labels_too} labels" in report.left_out[1]


def test_the_clock_goes_on_from_clip_to_clip_also_after_one_that_is_left_out(normal, odd):
    shown = list(odd.open())
    clips = [clip("wrong", shown, [0] * 20), odd, part(odd, 10)]
    perception = Watched()
    evaluate([normal], clips, perception=perception)
    steps = np.diff(perception.time_s)
    assert (steps > 0).all()
    assert (steps > PAUSE_S - 1).sum() == len(clips)


def test_no_clip_at_all_is_an_error_that_names_them(normal: Footage, odd: Footage):
    with pytest.raises(DatasetError, match=r"street: no test clip fits .*wrong\.mkv"):
        evaluate([normal], [clip("wrong", list(odd.open()), [0])])


def test_too_little_to_learn_from_is_said(odd: Footage):
    with pytest.raises(NotLearntError, match=r"street: .*learn from more footage"):
        evaluate([part(odd, 5)], [odd])


def test_progress_sees_every_clip(normal: Footage, odd: Footage):
    seen: list[str] = []

    def watched(clips):
        for each in clips:
            seen.append(each.name)
            yield each

    evaluate([normal], [part(odd, 5)], progress=watched)
    assert seen == ["walkers", "part"]
