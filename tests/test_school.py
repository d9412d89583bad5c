import pytest

from edge.school import School

PATIENCE_S = 20.0


def test_lessons_come_back_in_order_and_a_failure_harms_no_other():
    school = School()
    order = []

    def fail():
        order.append("fail")
        raise ZeroDivisionError("boom")

    failed = school.submit(fail)
    passed = school.submit(lambda: order.append("pass"))
    assert passed.result(PATIENCE_S) is None
    assert order == ["fail", "pass"]
    with pytest.raises(ZeroDivisionError):
        failed.result(PATIENCE_S)
