"""Which port a service gets."""

import os
import socket
from collections.abc import Iterator

import pytest

from everfit.errors import SettingsError, StackError
from everfit.stack import ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this very process listens on."""
    with socket.create_server((ports.LOCAL, 0)) as listening:
        yield listening.getsockname()[1]


def test_the_usual_port_where_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    free = ports.any_free()
    monkeypatch.setitem(ports.DEFAULTS, "mlflow", free)
    said: list[str] = []
    assert ports.choose("mlflow", {}, said.append) == free
    assert said == []


def test_another_where_a_stranger_has_the_usual_one_and_it_is_said(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ports.DEFAULTS, "mlflow", taken)
    said: list[str] = []
    chosen = ports.choose("mlflow", {}, said.append)
    assert chosen != taken
    assert ports.is_free(chosen)
    assert len(said) == 1
    assert str(taken) in said[0]
    assert str(chosen) in said[0]


def test_a_port_that_was_asked_for_is_never_exchanged(taken: int) -> None:
    with pytest.raises(StackError, match=rf"EVERFIT_KAFKA_PORT={taken} is taken by .*\(pid {os.getpid()}\)"):
        ports.choose("broker", {"EVERFIT_KAFKA_PORT": str(taken)}, print)


def test_a_port_that_was_asked_for_and_is_free() -> None:
    free = ports.any_free()
    assert ports.choose("serving", {"EVERFIT_SERVING_PORT": str(free)}, print) == free


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "80a"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="EVERFIT_DAGSTER_PORT"):
        ports.wanted("dagster", {"EVERFIT_DAGSTER_PORT": text})
