"""When a part that failed is tried again, and which failures are everybody's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import errors

from everfit.errors import LakeError, ServiceError
from everfit.store.failures import LONGEST, Part, describe, first
from everfit.store.isolation import is_shared

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)


def test_each_attempt_waits_twice_as_long_up_to_an_hour() -> None:
    failure = first(Part("m", "window"), "no", NOW, HALF_MINUTE)
    waits = [failure.retry_at - failure.last_at]
    for number in range(1, 10):
        failure = failure.again("no", NOW + number * LONGEST, HALF_MINUTE)
        waits.append(failure.retry_at - failure.last_at)
    assert [int(wait.total_seconds()) for wait in waits] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert (failure.attempts, failure.first_at) == (10, NOW)
    assert replace(failure, attempts=10_000).again("no", NOW, HALF_MINUTE).retry_at == NOW + LONGEST


@pytest.mark.parametrize(
    "error",
    [
        ServiceError("away"),
        psycopg.OperationalError("the connection is closed"),
        errors.AdminShutdown(),
        errors.DiskFull(),
        errors.DeadlockDetected(),
        sa.exc.OperationalError("SELECT", {}, errors.AdminShutdown()),
        sa.exc.TimeoutError(),
    ],
)
def test_a_server_that_is_away_or_full_is_everybodys(error: Exception) -> None:
    assert is_shared(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("1e39"),
        LakeError("missing"),
        KeyError("x"),
        OSError("read"),
        errors.NumericValueOutOfRange(),
        errors.ProgramLimitExceeded(),
        psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        sa.exc.DataError("SELECT", {}, errors.InvalidTextRepresentation()),
    ],
)
def test_what_the_data_bring_about_is_its_parts_own(error: Exception) -> None:
    assert not is_shared(error)


def test_an_error_is_described_in_one_line_that_can_be_stored() -> None:
    assert describe(ValueError("one\ntwo")) == "ValueError: one"
    assert describe(AssertionError()) == "AssertionError"
    assert describe(ValueError("\0\ud83d")) == "ValueError: \\0\\ud83d"
