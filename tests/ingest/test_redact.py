import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.ingest.redact import redact

SECRET = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=6)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam/stream", "rtsp://cam/stream"),
        ("rtsp://u:p@cam:554/s", "rtsp://u:***@cam:554/s"),
        ("rtsp://u:p@ss@cam/s", "rtsp://u:***@cam/s"),
        ("rtsp://u:p/ss@cam/s", "rtsp://u:***@cam/s"),
        ("RTSP://u:p@cam/s", "RTSP://u:***@cam/s"),
        ("rtsp://cam/s?user=a&password=b&channel=1", "rtsp://cam/s?user=a&password=***&channel=1"),
        ("/video/door.mkv", "/video/door.mkv"),
    ],
)
def test_passwords_are_hidden_and_the_rest_is_kept(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(SECRET)
def test_no_password_in_the_login_survives(secret: str) -> None:
    shown = redact(f"rtsp://user:{secret}@camera/path")
    assert shown == "rtsp://user:***@camera/path"
