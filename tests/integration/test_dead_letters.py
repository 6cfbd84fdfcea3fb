"""Dead letters are stored after all once they fit, once; what is old is let go of, never what is still needed."""

from datetime import timedelta

import msgspec
import sqlalchemy as sa

from everfit import TrainingWindow
from everfit.store import letters, log_state, month_partitions
from everfit.store.log import Batch, DeadLetter, Gap, LogWriter, Position, Step, skip
from everfit.store.tables import dead_letters, outcomes, predictions
from everfit.topics.events import PREDICTIONS, encode
from monitors.redrive import redrive
from monitors.retention import prune
from tests.events import MODEL, outcome, prediction, write

MODELS = {MODEL.name: MODEL}
MONTH = 31 * 48


def dead(engine: sa.Engine, *values: bytes | None) -> None:
    """Letters 1, 2, … as the reader leaves them."""
    found = [DeadLetter(PREDICTIONS, 0, number, "log", value, "why") for number, value in enumerate(values)]
    position = Position(PREDICTIONS, 0, len(values), "log", "")
    assert LogWriter(engine).write(Batch(dead=found, steps=[Step(0, position, len(values) + 3)]))


def test_a_letter_that_fits_now_is_stored_once_and_the_others_keep_their_reason(engine: sa.Engine) -> None:
    stranger = msgspec.structs.replace(prediction(1), model="later")
    dead(engine, encode(prediction(0)), encode(stranger), None, encode(prediction(2)).replace(b"0.25", b"1e-20000"))
    with engine.connect() as connection:
        assert letters.waiting(connection) == [1, 2, 3, 4]
    done = redrive(engine, MODELS, [1, 2, 3, 4, 99])
    assert done.stored == [1]
    assert {number: reason.split(":")[0] for number, reason in done.refused.items()} == {
        2: "no model 'later' is declared",
        3: "empty value (a tombstone)",
        4: "Postgres refuses it",
        99: "no dead letter has the number 99",
    }
    later = MODEL.model_copy(update={"name": "later"})
    assert redrive(engine, MODELS | {"later": later}, [1, 2]).stored == [1, 2], "a second time changes nothing"
    with engine.connect() as connection:
        stored = connection.execute(sa.select(predictions.c.model).order_by(predictions.c.event_time)).scalars().all()
        assert stored == [MODEL.name, "later"]
        assert [letter.id for letter in letters.newest(connection)] == [4, 3]
        assert connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar() == 4


def test_the_state_of_the_log_is_told_by_topic(engine: sa.Engine) -> None:
    dead(engine, b"no json", None)
    with engine.begin() as connection:
        assert skip(connection, Gap(PREDICTIONS, 0, "log", 2, 7))
        assert not skip(connection, Gap(PREDICTIONS, 0, "log", 2, 7)), "another had noticed it"
        (state,) = log_state.topics(connection)
    assert (state.topic, state.read, state.lag, state.dead_letters) == (PREDICTIONS, 7, 0, 2)
    assert (state.restarts, state.gaps, state.missing) == (0, 1, 5)


def test_only_whole_months_go_that_nothing_needs_any_more(engine: sa.Engine) -> None:
    months = range(0, 8 * MONTH, MONTH)
    write(engine, [prediction(number) for number in months], [outcome(number) for number in months])
    dead(engine, b"fresh")
    kept = prune(engine, [MODEL], timedelta(days=30))
    assert kept.partitions == []
    assert "electricity_price is trained on all of its history" in kept.kept[0]
    part = MODEL.model_copy(update={"training": TrainingWindow(history="60d"), "drift": MODEL.drift})
    assert prune(engine, [part], timedelta(days=30)).partitions == [], "no window has closed: all are open"
    with engine.begin() as connection:
        window = {"model": MODEL.name, "start": MODEL.go_live, "end": MODEL.go_live + timedelta(days=217), "rows": 1}
        connection.execute(sa.text("INSERT INTO windows VALUES (:model, :start, :end, :end, :rows, NULL)"), window)
    assert prune(engine, [part], timedelta(days=30), dry_run=True).partitions == ["predictions_1996_09"]
    gone = prune(engine, [part], timedelta(days=30))
    assert (gone.partitions, gone.outcomes, gone.dead_letters) == (["predictions_1996_09"], 1, 0)
    with engine.connect() as connection:
        assert month_partitions.made(connection)[0][0] == "predictions_1996_10"
        left = connection.execute(sa.select(outcomes.c.observed_at)).scalars().all()
    assert gone.until is not None
    assert min(left) >= gone.until
