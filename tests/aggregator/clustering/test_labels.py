import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.clustering.labels import NOWHERE, Wishes, kept, renamed

NOBODY = Wishes(np.full(1, NOWHERE), np.zeros(1, np.intp))
COLUMNS = np.array([0, 1])


def labels_of(*values: int) -> np.ndarray:
    return np.array(values, np.intp)


def test_clusters_keep_the_names_of_most_of_their_members():
    found, before = labels_of(0, 0, 0, 1, 1, 2), labels_of(4, 4, 1, 1, 1, NOWHERE)
    np.testing.assert_array_equal(renamed(found, before, labels_of(1, 4)), [4, 1, 0])


def test_names_of_silent_clusters_are_not_given_again():
    found, before = labels_of(0, 1), labels_of(NOWHERE, NOWHERE)
    np.testing.assert_array_equal(renamed(found, before, labels_of(0, 2)), [1, 3])


@given(st.permutations([3, 5, 8]), st.lists(st.integers(0, 2), min_size=3, max_size=20))
def test_equal_clusters_keep_all_their_names(names, rest):
    found = labels_of(0, 1, 2, *rest)
    before = labels_of(*names)[found]
    np.testing.assert_array_equal(renamed(found, before, np.unique(before)), names)


def rounds(away: tuple[float, float], patience: int) -> list[int]:
    """Labels of one participant, round after round, that begins in 0 and wishes for 1."""
    label, wishes, found = labels_of(0), NOBODY, []
    for _ in range(4):
        label, wishes = kept(
            labels_of(1), label, wishes, np.array([away]), COLUMNS, patience=patience
        )
        found.append(int(label[0]))
    return found


@pytest.mark.parametrize(
    ("away", "patience", "labels"),
    [
        ((1.0, 0.5), 3, [1, 1, 1, 1]),  # clearly nearer
        ((1.0, 0.95), 3, [0, 0, 1, 1]),  # nearer, for three rounds
        ((1.0, 0.95), 1, [1, 1, 1, 1]),
    ],
)
def test_a_participant_changes_for_a_cause(away, patience, labels):
    assert rounds(away, patience) == labels


def test_a_wish_that_is_interrupted_begins_again():
    away = np.array([[1.0, 0.95]])
    label, wishes = kept(labels_of(1), labels_of(0), NOBODY, away, COLUMNS, patience=3)
    assert (wishes.labels[0], wishes.waited[0]) == (1, 1)
    label, wishes = kept(labels_of(0), label, wishes, away, COLUMNS, patience=3)
    assert (wishes.labels[0], wishes.waited[0]) == (NOWHERE, 0)
    label, wishes = kept(labels_of(1), label, wishes, away, COLUMNS, patience=3)
    assert (label[0], wishes.waited[0]) == (0, 1)


@pytest.mark.parametrize("before", [NOWHERE, 6])
def test_who_has_no_cluster_any_more_goes_at_once(before):
    away = np.array([[1.0, 0.99]])
    label, _ = kept(labels_of(1), labels_of(before), NOBODY, away, COLUMNS, patience=3)
    assert label[0] == 1
