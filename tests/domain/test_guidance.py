import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.guidance import DAY_MIN, Hours


def at(clock: str) -> float:
    """Some day, by the local clock."""
    return time.mktime(time.strptime(f"2026-03-03 {clock}", "%Y-%m-%d %H:%M"))


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ("08:00-17:30", ["08:00", "12:00", "17:29"], ["07:59", "17:30", "00:00"]),
        ("22:00-06:00", ["22:00", "23:59", "00:00", "05:59"], ["06:00", "21:59", "12:00"]),
        ("22:00-00:00", ["22:00", "23:59"], ["00:00", "21:59"]),
        ("00:00-24:00", ["00:00", "23:59"], []),
        ("20:00-24:00", ["20:00", "23:59"], ["00:00", "19:59"]),
    ],
)
def test_hours_are_of_the_local_clock_and_may_pass_midnight(hours, inside, outside):
    part = Hours.parse(hours)
    assert [clock for clock in inside + outside if part.hold(at(clock))] == inside


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8-17",
        "08:00",
        "08:00-08:00",
        "24:00-06:00",
        "08:00-24:01",
        "08:60-09:00",
        "٠٨:٠٠-09:00",
    ],
)
def test_what_is_no_part_of_a_day_is_refused(text):
    with pytest.raises(ValueError, match=r"written as|a day has|to itself"):
        Hours.parse(text)


@given(st.integers(0, DAY_MIN - 1), st.integers(0, DAY_MIN - 1), st.integers(0, DAY_MIN - 1))
def test_a_range_and_the_rest_of_the_day_share_no_minute(begin, end, minute):
    if begin == end:
        return
    clock = "{:02d}:{:02d}".format
    day, night = clock(*divmod(begin, 60)), clock(*divmod(end, 60))
    moment = at(clock(*divmod(minute, 60)))
    assert Hours.parse(f"{day}-{night}").hold(moment) != Hours.parse(f"{night}-{day}").hold(moment)
