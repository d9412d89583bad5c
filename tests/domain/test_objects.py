from hypothesis import given
from hypothesis import strategies as st

from edge.domain.objects import OTHER, counts_of

names = st.text("abc", min_size=1, max_size=3)


@given(st.dictionaries(names, st.integers(0, 9)), st.sets(names).map(sorted))
def test_with_other_every_object_is_counted_once(seen, classes):
    assert counts_of(seen, (*classes, OTHER)).sum() == sum(seen.values())
    known = sum(count for name, count in seen.items() if name in classes)
    assert counts_of(seen, tuple(classes)).sum() == known


def test_the_order_is_that_of_the_classes():
    assert counts_of({"car": 2, "cat": 5}, ("person", OTHER, "car")).tolist() == [0, 5, 2]
