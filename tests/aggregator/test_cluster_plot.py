"""Clusters as a picture: what it must keep apart."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster_plot import EDGE_PX, GAP_PX, HEAD_PX, ROW_PX, draw_clusters
from aggregator.cluster_report import ClusterReport
from aggregator.strategies.port import Cluster
from aggregator.strategies.roster import Away, Member

SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789_-"
ENDS = st.text(SIGNS, min_size=1, max_size=8)


def report_of(*names: str) -> ClusterReport:
    """All in one cluster, and alike."""
    member = Member(0, np.array([0.5, 0.5], np.float32), {0: Away(0.4, 0.2)})
    return ClusterReport(
        round=2,
        classes=("person", "car"),
        clusters=(Cluster(0, {}, names, member.objects),),
        members=dict.fromkeys(names, member),
        alpha=0.4,
        beta=0.6,
    )


def rows(*names: str) -> list[np.ndarray]:
    """The part of the picture that is a participant's, for each."""
    picture = draw_clusters(report_of(*names))
    tops = (HEAD_PX + GAP_PX + ROW_PX * row for row in range(len(names)))
    return [picture[top : top + ROW_PX] for top in tops]


@settings(max_examples=25)
@given(
    shared=st.text(SIGNS, min_size=30, max_size=50),
    ends=st.tuples(ENDS, ENDS).filter(lambda pair: pair[0] != pair[1]),
)
def test_participants_of_different_names_look_different(shared: str, ends: tuple[str, str]):
    one, other = rows(*(shared + end for end in ends))
    assert not np.array_equal(one, other)


def test_names_and_bars_do_not_meet():
    long = "w" * 64
    (named,) = rows(long)
    first_bar = (named == (178, 114, 0)).all(axis=2).any(axis=0).argmax()
    written = (named[:, :first_bar] < 128).all(axis=2).any(axis=0).nonzero()[0]
    assert written.max() <= first_bar - EDGE_PX // 2
    assert draw_clusters(report_of(long)).shape[1] > draw_clusters(report_of("w")).shape[1]
