"""Close the windows that are due: judge each, decide, and write all of it in one transaction."""

import time
from collections.abc import Mapping
from functools import partial

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.window_grid import Span
from everfit.store import closed_windows, declarations, log
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.lake import Lake
from everfit.timing import format_time
from monitors.day_checks import check_days, is_behind
from monitors.judgement import Judged, judge_window
from monitors.pass_result import PassResult


def close_windows(engine: sa.Engine, lake: Lake, models: Mapping[str, Model], result: PassResult, deadline: float) -> None:
    """Judge every day, and close every window, whose end the model's clock has passed, each in a transaction of its own.

    What the deadline or a request for a retraining leaves over is closed by the next pass. Several may do this at a time: each
    window is closed by one of them, and no row slips in between. A window that cannot be judged holds up its own model alone,
    and only until ``limits.attempts`` are used up: then it closes, and what could not be judged is recorded as such. No window
    closes of a model that is refused as it is declared now.
    """
    with engine.begin() as connection:
        refusals = declarations.refusals(connection, models.values())
        declared = {name: model for name, model in models.items() if name not in refusals}
        due = closed_windows.due(connection, [*declared.values()])
    check_days(engine, lake, declared, deadline)
    for name in due:
        while time.monotonic() < deadline and not result.requested:
            judged = _close_next(engine, lake, models[name])
            if judged is None:
                break
            result.judgements += judged.judgements
            result.requested |= judged.requested


def _close_next(engine: sa.Engine, lake: Lake, model: Model) -> Judged | None:
    """Close the oldest window that is due; None where none is, or where it or one of its days waits to be tried again."""
    with engine.connect() as connection:
        span = closed_windows.due(connection, [model]).get(model.name)
        if span is None or is_behind(connection, model, span[1]):
            return None
    isolation, part = Isolation(engine), Part(model.name, "window", format_time(span[0]))
    before = isolation.failure(part)
    is_last = (before.attempts if before else 0) + 1 >= model.limits.attempts
    return isolation.attempt(part, partial(_close, engine, lake, model, span, is_last), retry_after=model.limits.retry_after)


def _close(engine: sa.Engine, lake: Lake, model: Model, span: Span, is_last: bool) -> Judged:
    with engine.begin() as connection:
        log.lock_windows(connection, model.name)
        if closed_windows.due(connection, [model]).get(model.name) != span:
            return Judged()  # another process has closed it since
        return judge_window(connection, lake, model, span, is_last=is_last)
