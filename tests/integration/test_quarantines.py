"""Quarantines by day and column: what the command says and does, and what becomes of those of earlier versions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from everfit.cli.main import app
from everfit.environment.settings import VARIABLES
from everfit.store import quarantines
from everfit.store.database import migrate
from models.electricity_price import electricity_price

MODEL = electricity_price.name
START = datetime(1996, 9, 11, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def week(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A window in which demand was stuck, and weekday out of bounds."""
    addresses = dict.fromkeys(VARIABLES.values(), "http://127.0.0.1:1") | {
        "EVERFIT_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "EVERFIT_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "EVERFIT_LAKE": str(Path.cwd()),
    }
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
    reasons = {"demand": "demand is stuck at 0.25", "weekday": "weekday outside 0 to 6"}
    with engine.begin() as connection:
        quarantines.put(connection, MODEL, (START, START + 7 * DAY), reasons)
    return engine


def everfit(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quarantine", *arguments])


def test_list_show_and_release(week: sa.Engine) -> None:
    listed = everfit("list", MODEL)
    assert listed.output.splitlines()[0] == "1996-09-11 00:00 to 1996-09-12 00:00  demand               demand is stuck at 0.25"
    assert len(listed.output.splitlines()) == 14
    some = ["--from", "1996-09-12", "--to", "1996-09-14", "--column", "demand"]
    freed = everfit("release", MODEL, *some, "--by", "ann", "--reason", "the meter was right")
    assert (freed.exit_code, freed.output) == (0, f"2 released; the next training of {MODEL} learns from them\n")
    assert len(msgspec.json.decode(everfit("list", MODEL, "--json").stdout)) == 12
    shown = msgspec.json.decode(everfit("show", MODEL, *some, "--json").stdout)
    assert [(one["start"], one["release"]["actor"], one["release"]["reason"]) for one in shown] == [
        ("1996-09-12T00:00:00Z", "ann", "the meter was right"),
        ("1996-09-13T00:00:00Z", "ann", "the meter was right"),
    ]
    assert "by ann: the meter was right" in everfit("show", MODEL, *some).output
    again = everfit("release", MODEL, *some, "--reason", "once more", "--json")
    assert (again.exit_code, msgspec.json.decode(again.stdout)) == (1, {"released": 0})
    usual = everfit("release", MODEL, "--all", "--accept", "--reason", "a new meter").output
    assert (
        usual == f"12 released, and what was found there is usual from now on; the next training of {MODEL} learns from them\n"
    )
    assert ": a new meter" in everfit("show", MODEL).output.partition("accepted")[2]
    assert everfit("list", MODEL).output == f"nothing of {MODEL} is quarantined\n"


def test_what_would_release_by_accident_is_refused(week: sa.Engine) -> None:
    for arguments in ([], ["--all", "--column", "demand"], ["--from", "may"]):
        assert everfit("release", MODEL, "--reason", "x", *arguments).exit_code == 2
    assert everfit("release", MODEL, "--all").exit_code == 2
    with week.connect() as connection:
        assert all(one.release is None for one in quarantines.of_model(connection, MODEL))


def test_a_window_that_does_not_end_at_midnight_is_cut_at_midnight() -> None:
    span = (START + DAY / 2, START + 2 * DAY + DAY / 4)
    middle = [(START + DAY, START + 2 * DAY)]
    assert list(quarantines.days_of(span)) == [(span[0], START + DAY), *middle, (START + 2 * DAY, span[1])]


def test_quarantines_of_earlier_versions_keep_span_and_release(engine: sa.Engine) -> None:
    migrate(engine, "0008", down=True)
    with engine.begin() as connection:
        for number, released in enumerate([None, datetime(1996, 10, 1, tzinfo=UTC)]):
            start = START + number * 7 * DAY
            row = {"model": MODEL, "start": start, "end": start + 7 * DAY, "released": released}
            connection.execute(sa.text("INSERT INTO quarantines VALUES (:model, :start, :end, 'stuck', :released)"), row)
    migrate(engine)
    with engine.connect() as connection:
        held, freed = quarantines.of_model(connection, MODEL)
        assert quarantines.excluded_spans(connection, electricity_price) == [(START, START + 7 * DAY)]
    assert (held.column, held.end, held.release) == ("*", START + 7 * DAY, None)
    assert freed.release is not None
    assert freed.release.at == datetime(1996, 10, 1, tzinfo=UTC)
    migrate(engine, "0008", down=True)
    with engine.connect() as connection:
        query = sa.text("SELECT start, released_at IS NULL FROM quarantines ORDER BY start")
        assert [tuple(row) for row in connection.execute(query)] == [(START, True), (START + 7 * DAY, False)]
