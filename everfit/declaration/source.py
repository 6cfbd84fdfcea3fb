"""A source: a stream of rows that the outside world publishes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

from pydantic import model_validator

from everfit.declaration.columns import Column
from everfit.declaration.part import Name, Part, require_unique
from everfit.timing import Duration


class Source(Part):
    """A stream of rows that the outside world publishes.

    ``identity`` names the columns that make a row one row: a second row of the same identity is a correction.
    ``event_time`` decides the day a row belongs to; ``known_after`` is how much later it is published.
    ``recorded`` reads everything on record, for the bootstrap and the replay, as a narwhals-compatible frame.
    """

    name: Name
    columns: list[Column]
    identity: list[str]
    event_time: str
    known_after: Duration = timedelta()
    recorded: Callable[[], Any] | None = None

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        names = [column.name for column in self.columns]
        require_unique("columns", names)
        for named in [*self.identity, self.event_time]:
            if named not in names:
                raise ValueError(f"{named!r} is no column of source {self.name}; it has {', '.join(names)}")
        if vectors := [column.name for column in self.columns if column.kind == "vector" and column.name in self.identity]:
            raise ValueError(f"identity names {vectors[0]!r}, a vector, by which no two rows are told apart; name a Category")
        times = [column.name for column in self.columns if column.kind == "time"]
        if self.event_time not in times:
            raise ValueError(
                f"event_time {self.event_time!r} is no time of source {self.name}; it has {', '.join(times) or 'none'}"
            )
        return self
