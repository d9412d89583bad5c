import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vitals import Latencies, Stopwatch, cpu_s, rss_bytes


def test_a_process_has_memory_and_has_used_a_processor():
    assert rss_bytes() > 1_000_000
    assert cpu_s() > 0


def test_nothing_noted_has_no_percentile():
    assert Latencies().percentile(50) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.floats(0, 100))
def test_a_percentile_lies_among_the_latest(latencies_ms, q):
    noted = Latencies(keep=10)
    for ms in latencies_ms:
        noted.add(ms)
    kept = latencies_ms[-10:]
    assert noted.noted_ms() == kept
    assert min(kept) <= noted.percentile(q) <= max(kept) * (1 + 1e-12)
    noted.clear()
    assert noted.noted_ms() == []


def test_a_stage_is_timed_per_frame_even_when_it_fails(monkeypatch):
    clock_s = iter([0.0, 3.0, 10.0, 11.0])
    monkeypatch.setattr("edge.vitals.time.perf_counter", lambda: next(clock_s))
    watch = Stopwatch()
    with watch.stage("perceive", frames=3):
        pass
    with pytest.raises(ValueError, match="odd"), watch.stage("perceive"):
        raise ValueError("odd")
    assert watch.means_ms() == {"perceive": pytest.approx(1000.0)}
    watch.clear()
    assert watch.means_ms() == {}
