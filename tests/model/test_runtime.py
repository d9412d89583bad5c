import logging

import pytest

from edge.model import runtime

NAMES = {"names": "{0: 'person', 1: 'bicycle'}"}


@pytest.fixture(autouse=True)
def _fresh_probe():
    runtime.present_providers.cache_clear()
    runtime._say_once.cache_clear()
    yield
    runtime.present_providers.cache_clear()


def test_a_provider_whose_library_is_absent_is_not_tried(monkeypatch):
    monkeypatch.setattr(runtime, "_loads", lambda library: False)
    assert runtime.present_providers() == (runtime.CPU,)


def test_providers_come_fastest_first(monkeypatch):
    built = ["CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"]
    monkeypatch.setattr(runtime.ort, "get_available_providers", lambda: built)
    monkeypatch.setattr(runtime.ort, "preload_dlls", lambda: None)
    monkeypatch.setattr(runtime, "_loads", lambda library: True)
    assert runtime.present_providers() == tuple(reversed(built))


def test_the_provider_is_said_once(caplog):
    with caplog.at_level(logging.INFO):
        runtime._say_once((runtime.CPU,), (runtime.CPU,))
        runtime._say_once((runtime.CPU,), (runtime.CPU,))
    assert [record.getMessage() for record in caplog.records] == ["networks run on CPU"]
