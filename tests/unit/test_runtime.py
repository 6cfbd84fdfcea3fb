"""A runtime closes what it opened, whatever happens within it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from everfit.environment.settings import Settings
from everfit.runtime import Runtime


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return Runtime(Settings(tmp_path, "postgresql+psycopg://nobody@127.0.0.1:1/everfit", "", "", "", "", tmp_path), {})


def disposals(runtime: Runtime) -> list[sa.Engine]:
    """The engine, once for each time that its connections were closed."""
    closed: list[sa.Engine] = []
    sa.event.listen(runtime.engine, "engine_disposed", closed.append)
    return closed


def test_nothing_is_opened_before_it_is_used(runtime: Runtime) -> None:
    with runtime:
        assert not {"engine", "lake", "registry", "models"} & vars(runtime).keys()


def test_the_connections_are_closed_when_the_work_failed(runtime: Runtime) -> None:
    closed = disposals(runtime)
    with pytest.raises(KeyError), runtime:
        raise KeyError
    assert closed == [runtime.engine]


def test_a_part_that_cannot_be_closed_leaves_none_of_the_others_open(runtime: Runtime) -> None:
    def refuse() -> None:
        raise OSError("the socket is gone")

    closed = disposals(runtime)
    runtime._opened.callback(refuse)
    with pytest.raises(OSError, match="the socket is gone"):
        runtime.close()
    assert closed == [runtime.engine]
