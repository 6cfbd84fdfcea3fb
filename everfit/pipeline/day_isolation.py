"""Makes days together; where that fails, finds the failing days by bisection, isolates them and makes the others."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeVar

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import EmptyPartitionError
from everfit.runtime import Runtime
from everfit.store import failures
from everfit.store.failures import Part
from everfit.store.isolation import Isolation, is_shared

Daily = Literal["raw_data", "features", "scored_requests"]
T = TypeVar("T")


def make_isolated(
    runtime: Runtime, model: Model, stage: Daily, days: Sequence[str], make: Callable[[Sequence[str]], T]
) -> list[T]:
    """The results of the days that can be made, in order, one for each lot of days made together.

    Args:
        runtime: where failing days are recorded, and the others removed from the record.
        model: the model.
        stage: the stage to make.
        days: in order.
        make: makes a lot; where it raises, nothing of the lot is stored.

    Raises:
        Exception: the last failure, where no day could be made, or a failure that concerns all days.
    """
    isolation = Isolation(runtime.engine)
    errors: list[Exception] = []
    made = [*_halves(isolation, model, stage, days, make, errors)]
    if not made:
        raise errors[-1]
    return made


def _halves(
    isolation: Isolation,
    model: Model,
    stage: Daily,
    days: Sequence[str],
    make: Callable[[Sequence[str]], T],
    errors: list[Exception],
) -> Iterator[T]:
    try:
        made = make(days)
    except Exception as error:
        if is_shared(error) or isinstance(error, EmptyPartitionError):
            raise
        errors.append(error)
    else:
        for day in days:
            isolation.passed(Part(model.name, stage, day))
        yield made
        return
    if len(days) == 1:
        isolation.failed(Part(model.name, stage, days[0]), errors[-1])
        return
    middle = len(days) // 2
    for half in (days[:middle], days[middle:]):
        yield from _halves(isolation, model, stage, half, make, errors)


def failing_days(connection: sa.Connection, model: Model) -> dict[str, str]:
    """The days that could not be made, each with the reason."""
    stages = ("raw_data", "features")
    matching = (
        failure for failure in failures.listed(connection) if failure.part.model == model.name and failure.part.stage in stages
    )
    return {failure.part.name: failure.error for failure in matching}
