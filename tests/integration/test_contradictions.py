"""Two records of one identity that say different things: which of them counts, and where the other is told."""

from collections.abc import Sequence

import hypothesis.strategies as st
import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from everfit.store import frames, letters
from everfit.store.bulk_copy import Rows
from everfit.store.log import Batch, DeadLetter, LogWriter, Position, Step, Written
from everfit.store.tables import dead_letters, outcomes, predictions
from everfit.topics.events import OUTCOMES, PREDICTIONS, Outcome, Prediction, encode
from monitors.redrive import redrive
from tests.databases import emptied
from tests.events import HALF_HOUR, MODEL, outcome, prediction, rows

Event = Prediction | Outcome


def write(engine: sa.Engine, events: list[Event], since: int = 0) -> Written:
    """Write them as one batch of partition 0 of both topics, from an offset on."""
    asked = [event for event in events if isinstance(event, Prediction)]
    came_true = [event for event in events if isinstance(event, Outcome)]
    steps = [
        Step(since, Position(topic, 0, since + len(several), "log-id", ""), 0)
        for topic, several in ((PREDICTIONS, asked), (OUTCOMES, came_true))
        if several
    ]
    written = LogWriter(engine).write(Batch(_rows(PREDICTIONS, asked, since), _rows(OUTCOMES, came_true, since), [], steps))
    assert written is not None
    return written


def _rows(topic: str, events: Sequence[Event], since: int) -> Rows:
    made = rows(events)
    made.records = [DeadLetter(topic, 0, since + n, "log-id", encode(event), "") for n, event in enumerate(events)]
    return made


def told(engine: sa.Engine) -> list[tuple[str, int, bytes | None, str]]:
    """Every dead letter: topic, offset, value and reason."""
    columns = (dead_letters.c.topic, dead_letters.c.offset, dead_letters.c.value, dead_letters.c.reason)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(dead_letters.c.id))]


def labels(engine: sa.Engine) -> list[tuple[float, int]]:
    """Every stored outcome, and how many half-hours after the go-live it was observed."""
    query = sa.select(outcomes.c.outcome, outcomes.c.observed_at).order_by(outcomes.c.observed_at)
    with engine.connect() as connection:
        return [(value, (at - MODEL.go_live) // HALF_HOUR) for value, at in connection.execute(query)]


def test_another_outcome_of_the_same_moment_is_a_dead_letter_that_names_both(engine: sa.Engine) -> None:
    write(engine, [outcome(0, 1.0)])
    assert write(engine, [outcome(0, 0.0), outcome(1, 0.0)], since=1).dead == 1
    assert labels(engine) == [(1.0, 1), (0.0, 2)]
    why = (
        "contradicts a stored outcome of the same identity, which has outcome 1.0, this one 0.0: the first counts; "
        "a correction has a later observed_at"
    )
    assert told(engine) == [(OUTCOMES, 1, encode(outcome(0, 0.0)), why)]


def test_the_same_outcome_again_is_no_contradiction(engine: sa.Engine) -> None:
    assert write(engine, [outcome(0), outcome(0)]).dead == 0
    assert write(engine, [outcome(0), outcome(1)], since=2).dead == 0
    assert (labels(engine), told(engine)) == ([(1.0, 1), (1.0, 2)], [])


def test_of_two_in_one_batch_the_first_counts(engine: sa.Engine) -> None:
    assert write(engine, [outcome(0, 0.0), outcome(0, 1.0), prediction(0, score=0.2), prediction(0, score=0.7)]).dead == 2
    assert labels(engine) == [(0.0, 1)]
    assert [(topic, offset) for topic, offset, *_ in told(engine)] == [(PREDICTIONS, 1), (OUTCOMES, 1)]


def test_a_later_observation_corrects_whichever_came_first(engine: sa.Engine) -> None:
    correction = msgspec.structs.replace(outcome(0, 0.0), observed_at=outcome(3).observed_at)
    write(engine, [prediction(0), correction, outcome(0, 1.0)])
    span = (MODEL.go_live, MODEL.go_live + HALF_HOUR)
    with engine.connect() as connection:
        newest = [
            frames.logged(connection, MODEL, span, known_at=MODEL.go_live + number * HALF_HOUR)["_label"].to_list()
            for number in (0, 1, 3, 4)
        ]
    assert newest == [[None], [1.0], [1.0], [0.0]]
    assert told(engine) == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"score": 0.75}, "has score 0.5, this one 0.75: the first counts"),
        ({"features": prediction(0).features | {"price": 0.75}}, "has the score 0.5 too, and other features: the first counts"),
    ],
)
def test_another_answer_of_one_identity_is_a_dead_letter(engine: sa.Engine, changed: dict[str, object], why: str) -> None:
    write(engine, [prediction(0)])
    other = msgspec.structs.replace(prediction(0), **changed)
    assert write(engine, [prediction(0), other], since=1).dead == 1
    assert told(engine) == [
        (PREDICTIONS, 2, encode(other), f"contradicts a stored prediction of the same identity, which {why}")
    ]
    with engine.connect() as connection:
        assert connection.execute(sa.select(predictions.c.score)).scalars().all() == [0.5]


def test_a_contradiction_that_is_redriven_stays_a_dead_letter(engine: sa.Engine) -> None:
    write(engine, [outcome(0, 1.0), outcome(0, 0.0)])
    done = redrive(engine, {MODEL.name: MODEL}, [1])
    assert done.stored == []
    assert "which has outcome 1.0, this one 0.0" in done.refused[1]
    with engine.connect() as connection:
        assert letters.waiting(connection) == [1]
    assert labels(engine) == [(1.0, 1)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_counts_is_the_same_however_the_log_is_cut_and_delivered(engine: sa.Engine, data: st.DataObject) -> None:
    one = st.one_of(
        st.builds(outcome, st.integers(0, 3), st.sampled_from([0.0, 1.0])),
        st.builds(prediction, st.integers(0, 3), score=st.sampled_from([0.25, 0.5, 0.75])),
    )
    log = data.draw(st.lists(one, min_size=1, max_size=20))
    ends = sorted(data.draw(st.sets(st.integers(1, len(log)))) | {len(log)})
    results = []
    for cuts in ([len(log)], ends):
        emptied(engine)
        for start, end in zip([0, *cuts], cuts, strict=False):
            LogWriter(engine).write(Batch(*_offsets(log, start, end)))
            again = data.draw(st.integers(0, start)), end  # delivered once more, from anywhere before
            LogWriter(engine).write(Batch(*_offsets(log, *again)))
        results.append((_scores(engine), labels(engine), {(topic, offset) for topic, offset, *_ in told(engine)}))
    assert results[0] == results[1]
    assert results[0][2] == _contradicting(log)


def _offsets(log: list[Event], start: int, end: int) -> tuple[Rows, Rows]:
    """The records of some offsets; both topics share them."""
    taken = [(offset, log[offset]) for offset in range(start, end)]
    made = []
    for topic, kind in ((PREDICTIONS, Prediction), (OUTCOMES, Outcome)):
        of_kind = [(offset, event) for offset, event in taken if isinstance(event, kind)]
        several = rows([event for _, event in of_kind])
        several.records = [DeadLetter(topic, 0, offset, "", encode(event), "") for offset, event in of_kind]
        made.append(several)
    return made[0], made[1]


def _contradicting(log: list[Event]) -> set[tuple[str, int]]:
    """The offsets that say something else than the first of their identity."""
    first: dict[tuple[str, str], bytes] = {}
    found = set()
    for offset, event in enumerate(log):
        topic = PREDICTIONS if isinstance(event, Prediction) else OUTCOMES
        if first.setdefault((topic, event.request_id), encode(event)) != encode(event):
            found.add((topic, offset))
    return found


def _scores(engine: sa.Engine) -> list[tuple[str, float]]:
    query = sa.select(predictions.c.request_id, predictions.c.score).order_by(predictions.c.request_id)
    with engine.connect() as connection:
        return [(request, score) for request, score in connection.execute(query)]
