import io
import json
import shutil

import numpy as np
import pytest

from edge.alerts.alarm import Alarm, Limits
from edge.alerts.console import Console
from edge.alerts.desk import AlertDesk
from edge.alerts.outbox import Outbox
from edge.alerts.publisher import Publisher
from edge.alerts.snapshot import MAX_AGE_S, SnapshotStore
from edge.domain.alert import TransitionKind
from edge.domain.frame import Frame
from edge.wire.events import decode_event
from edge.wire.topics import Topics
from tests.fakes.broker import FakeBroker
from tests.fakes.scores import frame_score, region

NEW, UPDATE, END = TransitionKind.NEW, TransitionKind.UPDATE, TransitionKind.END
TOPICS = Topics("vad", "h")
LIMITS = Limits(raise_at=3.0, clear_below=2.0, raise_after_s=0.0, clear_after_s=2.0)
PICTURE = np.full((360, 640, 3), 128, np.uint8)


class Host:
    """A desk with everything around it; ``killed`` gives what starts after a kill -9."""

    def __init__(self, folder, cameras=("door",), **options):
        self._folder = folder
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.broker = options.pop("broker", None) or FakeBroker()
        self.broker.start()
        self.publisher = Publisher(self.broker, self.outbox, events_topic=TOPICS.events)
        self.desk = AlertDesk(
            {camera: Alarm(camera, LIMITS, "m1") for camera in cameras},
            outbox=self.outbox,
            publisher=self.publisher,
            topics=TOPICS,
            snapshots=SnapshotStore(folder / "snapshots"),
            **options,
        )

    def take(self, time_s, *regions):
        frame = Frame.from_bgr(PICTURE, camera="door", index=0, time_s=time_s, received_s=0)
        told = self.desk.take(frame_score(time_s, *regions), frame)
        for _ in range(3):
            self.publisher.pump()
        return told

    def killed(self, into, **options):
        shutil.copytree(self._folder, into)
        return Host(into, **options)

    def told(self):
        return [decode_event(payload) for payload in self.broker.payloads(TOPICS.events)]


@pytest.fixture
def hosts(tmp_path):
    made = []

    def make(*args, **options):
        made.append(Host(*(args or [tmp_path / "first"]), **options))
        return made[-1]

    make.keep = made.append
    yield make
    for host in made:
        host.outbox.close()


def test_an_anomaly_becomes_an_alert_with_its_picture_and_state(hosts, tmp_path):
    host = hosts()
    (new,) = host.take(100.0, region(1, 4))
    assert host.told() == [new]
    assert (tmp_path / "first" / "snapshots" / new.after.snapshot).is_file()
    assert new.before == new.after
    assert host.broker.payloads(TOPICS.anomaly("door"))[-1] == b"ON"
    (end,) = host.take(102.0)
    assert (end.kind, end.before.snapshot) == (END, new.after.snapshot)
    assert host.broker.payloads(TOPICS.anomaly("door")) == [b"ON", b"OFF"]


def test_no_picture_leaves_the_host_unless_it_is_turned_on(hosts, tmp_path):
    quiet, open_host = hosts(), hosts(tmp_path / "second", publish_snapshots=True)
    for host in (quiet, open_host):
        host.take(100.0, region(1, 4))
    assert quiet.broker.payloads(TOPICS.snapshot("door")) == []
    (jpeg,) = open_host.broker.payloads(TOPICS.snapshot("door"))
    assert jpeg.startswith(b"\xff\xd8")
    assert all(b"\xff\xd8" not in m.payload for m in quiet.broker.received)


def test_a_full_disk_costs_the_picture_not_the_alert(hosts, tmp_path, caplog):
    host = hosts()
    (tmp_path / "first" / "snapshots").write_text("in the way")
    (new,) = host.take(100.0, region(1, 4))
    assert new.after.snapshot is None
    assert [t.kind for t in host.told()] == [NEW]
    assert "goes out without it" in caplog.text


def test_scores_are_sent_at_most_once_a_second(hosts):
    host = hosts()
    for n in range(50):
        host.take(100 + n / 10, region(1, 1.0))
    assert len(host.broker.payloads(TOPICS.score("door"))) == 5


def test_an_event_ends_although_the_wall_clock_was_set_back(hosts):
    now_s = [0.0]
    host = hosts(tick=lambda: now_s[0])
    host.take(5000.0, region(1, 4))
    now_s[0] += LIMITS.clear_after_s / 2
    assert host.desk.expire("door", 1400.0) == []
    now_s[0] += LIMITS.clear_after_s / 2
    assert [t.kind for t in host.desk.expire("door", 1401.0)] == [END]


def test_pictures_grow_old_while_no_new_one_comes(hosts, tmp_path):
    host = hosts()
    host.take(100.0, region(1, 4))
    (picture,) = (tmp_path / "first" / "snapshots").iterdir()
    host.desk.prune(100.0 + MAX_AGE_S)
    assert picture.exists()
    host.desk.prune(101.0 + MAX_AGE_S)
    assert not picture.exists()


class TestKilledInTheMiddleOfAnEvent:
    def test_an_anomaly_that_lasts_goes_on_under_its_id(self, hosts, tmp_path):
        first = hosts()
        (new,) = first.take(100.0, region(1, 4))
        second = first.killed(tmp_path / "second")
        hosts.keep(second)
        second.take(103.0, region(1, 6))
        second.take(110.0)
        told = list(dict.fromkeys(first.told() + second.told()))  # at least once
        assert [t.kind for t in told] == [NEW, UPDATE, END]
        assert {t.after.id for t in told} == {new.after.id}

    def test_an_anomaly_that_is_over_is_ended(self, hosts, tmp_path):
        first = hosts()
        first.take(100.0, region(1, 4))
        second = first.killed(tmp_path / "second")
        hosts.keep(second)
        assert second.desk.expire("door", 200.0)[0].kind is END
        assert second.broker.payloads(TOPICS.anomaly("door"))[-1:] in ([b"OFF"], [])

    def test_the_state_stays_on_until_it_is_known_better(self, hosts, tmp_path):
        first = hosts()
        first.take(100.0, region(1, 4))
        second = first.killed(tmp_path / "second")
        hosts.keep(second)
        second.publisher.pump()
        assert second.broker.payloads(TOPICS.anomaly("door")) == [b"ON"]

    def test_a_camera_that_is_gone_from_the_configuration_gets_its_end(self, hosts, tmp_path):
        first = hosts()
        (new,) = first.take(100.0, region(1, 4))
        second = first.killed(tmp_path / "second", cameras=("yard",))
        hosts.keep(second)
        for _ in range(3):
            second.publisher.pump()
        told = list(dict.fromkeys(first.told() + second.told()))
        assert [(t.kind, t.after.id) for t in told] == [(k, new.after.id) for k in (NEW, END)]
        assert second.outbox.open_events() == []


def test_without_a_broker_events_are_json_lines(hosts):
    lines = io.StringIO()
    host = hosts(broker=Console(lines, topic=TOPICS.events))
    host.take(100.0, region(1, 4))
    host.take(105.0)
    assert [json.loads(line)["type"] for line in lines.getvalue().splitlines()] == ["new", "end"]
