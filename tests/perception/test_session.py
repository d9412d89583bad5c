import logging

import numpy as np
import pytest

from edge.perception import session
from edge.perception.network import Network

NAMES = {"names": "{0: 'person', 1: 'bicycle'}"}


@pytest.fixture(autouse=True)
def _fresh_probe():
    session.present_providers.cache_clear()
    session._say_once.cache_clear()
    yield
    session.present_providers.cache_clear()


def test_a_provider_whose_library_is_absent_is_not_tried(monkeypatch):
    monkeypatch.setattr(session, "_loads", lambda library: False)
    assert session.present_providers() == (session.CPU,)


def test_providers_come_fastest_first(monkeypatch):
    built = ["CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"]
    monkeypatch.setattr(session.ort, "get_available_providers", lambda: built)
    monkeypatch.setattr(session.ort, "preload_dlls", lambda: None)
    monkeypatch.setattr(session, "_loads", lambda library: True)
    assert session.present_providers() == tuple(reversed(built))


def test_the_provider_is_said_once(build_network, monkeypatch, caplog):
    monkeypatch.setattr(session, "_loads", lambda library: False)
    path = build_network(np.zeros((6, 84)), metadata=NAMES)
    with caplog.at_level(logging.INFO):
        Network(path)
        Network(path)
    assert [record.getMessage() for record in caplog.records] == ["networks run on CPU"]
