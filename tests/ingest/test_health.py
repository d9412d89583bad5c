import av
import numpy as np
import pytest

from edge.ingest.health import Health, HealthLimits, Sight, State, Transition, look

RATE_HZ = 5
NIGHT = 40 + 12 * np.random.default_rng(0).standard_normal((12, 16)).repeat(15, 0).repeat(20, 1)


def encoded(picture, noise: float, seed: int):
    """A picture as a decoder gives it: noise, rounded."""
    noisy = picture + noise * np.random.default_rng(seed).standard_normal(picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def watch(health: Health, pictures, start_s: float = 0.0):
    """Step through the pictures; the final health and the transitions with their times."""
    changes = []
    for number, picture in enumerate(pictures):
        time_s = start_s + number / RATE_HZ
        health, changed = health.step(look(picture), time_s)
        if changed is not Transition.NONE:
            changes.append((changed, time_s))
    return health, changes


def live(seconds: float, noise: float = 3.0, seed: int = 0):
    return (encoded(NIGHT, noise, seed + number) for number in range(int(seconds * RATE_HZ)))


def still(seconds: float):
    return (encoded(NIGHT, 0, 0) for _ in range(int(seconds * RATE_HZ)))


@pytest.fixture
def online() -> Health:
    health, changes = watch(Health(), live(1))
    assert [changed for changed, _ in changes] == [Transition.RECOVERED]
    return health


def test_a_camera_comes_online_after_three_good_frames() -> None:
    _, changes = watch(Health(), live(2))
    assert changes == [(Transition.RECOVERED, 2 / RATE_HZ)]


@pytest.mark.parametrize("noise", [0.7, 3.0])
def test_a_quiet_night_is_not_frozen(online: Health, noise: float) -> None:
    health, changes = watch(online, live(60, noise, seed=99), 1)
    assert (health.state, changes) == (State.ONLINE, [])


def test_a_repeated_picture_is_frozen_after_the_limit(online: Health) -> None:
    _, changes = watch(online, still(40), 1)
    assert [changed for changed, _ in changes] == [Transition.FROZE]
    assert 30 <= changes[0][1] - 1 <= 31


def test_encoding_the_same_picture_anew_does_not_hide_a_freeze(online: Health) -> None:
    def pumped():
        for number in range(40 * RATE_HZ):
            picture = encoded(NIGHT, 0, 0)
            if number // 10 % 2:  # a key frame with slightly other rounding
                picture[4::32] += 1
            yield picture

    health, _ = watch(online, pumped(), 1)
    assert health.state is State.FROZEN


def through_x264(pictures, path):
    """The luma that a decoder gives back."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ)
        stream.height, stream.width = NIGHT.shape
        stream.pix_fmt = "yuv420p"
        stream.options = {"bf": "0", "g": "25", "crf": "28", "preset": "veryfast"}
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]


def test_freeze_and_quiet_night_are_told_apart_behind_a_real_encoder(online, tmp_path) -> None:
    frozen = through_x264(still(45), tmp_path / "frozen.mkv")
    quiet = through_x264(live(45, noise=1.5), tmp_path / "quiet.mkv")
    assert watch(online, frozen, 1)[0].state is State.FROZEN
    assert watch(online, quiet, 1)[1] == []


def test_a_frozen_camera_recovers_after_three_good_frames(online: Health) -> None:
    frozen, _ = watch(online, still(40), 1)
    _, changes = watch(frozen, live(2, seed=7), 50)
    assert changes == [(Transition.RECOVERED, 50 + 2 / RATE_HZ)]


@pytest.mark.parametrize("noise", [0, 2, 5])
@pytest.mark.parametrize("brightness", [0, 16, 120, 255])
def test_a_covered_lens_is_noticed_after_the_limit(
    online: Health, noise: float, brightness: float
) -> None:
    flat = np.full(NIGHT.shape, float(brightness))
    cover = [encoded(flat, noise, number) for number in range(8 * RATE_HZ)]
    health, changes = watch(online, cover, 1)
    assert [changed for changed, _ in changes] == [Transition.COVERED]
    assert health.state is State.COVERED
    assert 4 <= changes[0][1] - 1 <= 6
    assert watch(health, live(2), 10)[0].state is State.ONLINE


def test_a_passing_hand_is_not_a_cover(online: Health) -> None:
    flat = [encoded(np.full(NIGHT.shape, 20.0), 2, number) for number in range(4 * RATE_HZ)]
    health, changes = watch(online, flat, 1)
    assert (health.state, changes) == (State.ONLINE, [])


def test_a_lost_connection_is_offline_at_once_and_told_once(online: Health) -> None:
    health, changed = online.lose()
    assert (health.state, changed) == (State.OFFLINE, Transition.LOST)
    assert health.lose()[1] is Transition.NONE
    assert watch(health, live(2), 10)[1] == [(Transition.RECOVERED, 10 + 2 / RATE_HZ)]


def test_masked_cells_do_not_count() -> None:
    luma = encoded(NIGHT, 0, 0)
    luma[:, :160] = 16
    visible = np.ones((luma.shape[0] // 8, luma.shape[1] // 8), bool)
    visible[:, :20] = False
    assert look(luma, visible).detail == pytest.approx(look(luma[:, 160:]).detail)
    changed = luma.copy()
    changed[:, :160] = 200
    assert np.array_equal(look(luma, visible).samples, look(changed, visible).samples)


def test_a_picture_that_is_masked_as_a_whole_shows_nothing() -> None:
    hidden = look(encoded(NIGHT, 0, 0), np.zeros((22, 40), bool))
    assert (hidden.detail, hidden.num_visible) == (0.0, 0)


def test_a_new_size_is_a_new_picture() -> None:
    limits = HealthLimits(frozen_after_s=1.0)
    sight = Sight(np.zeros((4, 4), np.uint8), 16, 9.0)
    health, _ = Health(limits).step(sight, 0.0)
    health, _ = health.step(Sight(np.zeros((2, 2), np.uint8), 4, 9.0), 2.0)
    assert health.still_since_s == 2.0


def test_a_new_connection_is_judged_afresh(online: Health) -> None:
    frozen, _ = watch(online, still(40), 1)
    reconnected, _ = frozen.lose()
    assert watch(reconnected, still(2), 50)[0].state is State.ONLINE
