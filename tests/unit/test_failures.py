"""Which failures are tried again, by the name of what was raised."""

import pytest

from monitors.transient_failures import Failure


@pytest.mark.parametrize(
    "kind", ["ServiceError", "StaleChampionError", "ConnectionError", "TimeoutError", "OperationalError", None]
)
def test_what_can_pass_is_tried_again(kind: str | None) -> None:
    assert Failure(kind, "away").can_pass


@pytest.mark.parametrize(
    "kind", ["SourceError", "EmptyPartitionError", "ValueError", "KeyError", "ValidationError", "SchemaError"]
)
def test_what_lasts_is_not(kind: str) -> None:
    assert not Failure(kind, "price is 7").can_pass


def test_a_failure_says_its_first_line_with_its_kind() -> None:
    assert str(Failure("SourceError", "price is 7\n  at line 3")) == "SourceError: price is 7"
    assert str(Failure(None, "")) == "no reason was given"
