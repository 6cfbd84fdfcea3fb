"""What the loop decides, on real rows: nothing sees past the clock, and a swap within a window is judged for each version."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import narwhals.stable.v2 as nw
import polars as pl
import pytest
import sqlalchemy as sa

from everfit.declaration.reserved_columns import REQUEST_ID
from everfit.errors import EmptyPartitionError, StaleChampionError
from everfit.pipeline import daily_partitions, lineage, manifests, training_set
from everfit.pipeline.declaration_document import declaration_id
from everfit.pipeline.document_changes import changes
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet, Version
from everfit.pipeline.promotion import conclude
from everfit.store import ledger as ledgers
from everfit.store import partitions, quarantines, requests
from everfit.store.decisions import history
from everfit.store.requests import RetrainRequest
from everfit.store.tables import decisions, declaration_documents, evidence, ledger, retrain_requests, windows
from everfit.topics.events import Outcome, Prediction
from tests.databases import emptied
from tests.events import prediction
from tests.examples import EXAMPLES, Example, electricity
from tests.loop import Loop

WEEK = timedelta(days=7)
MODEL = electricity().model


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    return Loop(engine, tmp_path, MODEL, electricity().recorded)


def scrambled(example: Example, end: datetime) -> dict[str, pl.DataFrame]:
    """The record with every value that was unforeseen and known later drawn anew from the later ones; the times stay."""
    made = {}
    for source in example.model.sources:
        recorded = example.recorded[source.name]
        later = pl.col(source.event_time) + source.known_after > end
        before, after = recorded.filter(~later), recorded.filter(later)
        drawn = after.select(pl.col(example.unforeseen[source.name]).sample(fraction=1.0, shuffle=True, seed=7))
        made[source.name] = pl.concat([before, after.with_columns(drawn)])
    return made


def decided_up_to(loop: Loop, weeks: int) -> dict[str, object]:
    """Play two weeks past the end; then judge and train as of it. All that was said and made, as stored."""
    model = loop.model
    until = model.go_live + weeks * WEEK
    loop.bootstrap()
    loop.play(model.go_live, until + 2 * WEEK)
    for number in range(weeks):
        loop.judge(model.go_live + number * WEEK)
    loop.retrain(None, cutoff=until)
    trained, _ = manifests.newest(loop.runtime, model, "trained_model", TrainedModel)
    with loop.runtime.engine.connect() as connection:
        stored = {
            table.name: connection.execute(sa.select(table).order_by(*table.primary_key)).mappings().all()
            for table in (windows, evidence, decisions)
        }
        told = [
            (re.sub(r"[\d.]+ ms", "", row.reason), row.from_version, row.to_version)  # how fast it answered is the machine's
            for row in connection.execute(sa.select(ledger))
        ]
    graphs = [(one.artifact, one.backtest, one.reference, one.calibration) for one in trained.candidates]
    return {**stored, "ledger": told, "training_set": trained.training_set, "candidates": graphs}


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_comes_after_a_moment_changes_nothing_made_by_then(
    engine: sa.Engine, tmp_path: Path, example: Callable[[], Example]
) -> None:
    model = example().model
    truth = decided_up_to(Loop(engine, tmp_path, model, example().recorded), 2)
    emptied(engine)
    other = scrambled(example(), model.go_live + 2 * WEEK)
    assert all(not other[name].equals(rows) for name, rows in example().recorded.items())
    assert decided_up_to(Loop(engine, tmp_path, model, other), 2) == truth
    assert len(truth["evidence"]) == 2 * 5  # type: ignore[arg-type]


def test_a_window_that_spans_a_swap_is_judged_for_each_version(loop: Loop) -> None:
    loop.bootstrap()
    middle = MODEL.go_live + timedelta(days=10)
    loop.play(MODEL.go_live, MODEL.go_live + timedelta(days=9))
    loop.judge(MODEL.go_live)
    while loop.retrain(None, cutoff=MODEL.go_live + timedelta(days=9)).version is None:
        loop.model = loop.model.model_copy(update={"gate": MODEL.gate.model_copy(update={"margin": 1.0})})
    loop.play(MODEL.go_live + timedelta(days=9), middle + WEEK)
    judged = loop.judge(MODEL.go_live + WEEK).judgements
    assert {(one.version, one.kind) for one in judged} == {
        (version, kind) for version in (1, 2) for kind in ("quality", "drift", "performance", "freshness", "regret")
    }
    rows = {one.version: one.detail["rows"] for one in judged if one.kind == "quality"}
    assert rows == {1: 2 * 48, 2: 5 * 48}


def test_a_decision_names_the_declaration_that_it_was_made_by(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + 2 * WEEK)
    loop.judge(MODEL.go_live)
    loop.model = MODEL.model_copy(update={"limits": MODEL.limits.model_copy(update={"retrains_per_month": 1})})
    loop.judge(MODEL.go_live + WEEK)
    named = sa.select(declaration_documents).join(decisions).order_by(decisions.c.at)
    with loop.runtime.engine.connect() as connection:
        first, second = connection.execute(named).all()
        champion = ledgers.champion(connection, MODEL.name)
    assert champion is not None
    made_with = manifests.get(loop.runtime.lake, champion.manifest, Version).made_with
    assert made_with is not None
    assert (first.id, first.document) == (made_with.declaration_id, made_with.declaration)
    assert declaration_id(first.document) == first.id, "what is kept is what the id was made of"
    before = MODEL.limits.retrains_per_month
    assert [each.words for each in changes(first.document, second.document)] == [f"limits.retrains_per_month: {before} → 1"]


def test_answers_of_a_version_that_the_ledger_does_not_know_are_told_and_stop_nothing(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    loop.log([prediction(number, version=99) for number in range(3)])
    judged = loop.judge(MODEL.go_live).judgements
    assert [(one.version, one.kind) for one in judged if one.version != 1] == [(99, "quality")]
    assert judged[0].reason == "version 99 answered 3 rows of clients, and the ledger does not know it"
    assert next(one.verdict for one in judged if one.version == 1) == "ok"


@pytest.mark.parametrize(("hours", "heard"), [(0, 1), (1, 2)], ids=["promoted before the window", "promoted within it"])
def test_alarms_of_the_version_that_serves_in_the_champions_place_count(loop: Loop, hours: int, heard: int) -> None:
    """Version 2 was promoted and answered nothing: serving could not load it, and version 1 goes on."""
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    with loop.runtime.engine.begin() as connection:
        first = ledgers.recorded(connection, MODEL.name, 1)
        assert first is not None
        at = MODEL.go_live + timedelta(hours=hours)
        detail = {"manifest": first.manifest, "trained_until": first.trained_until.isoformat()}
        ledgers.append(connection, ledgers.Entry(MODEL.name, "promoted", 1, 2, "test", "drift", "", None, at, detail))
    loop.model = MODEL.model_copy(update={"freshness": MODEL.freshness.model_copy(update={"max_training_age": WEEK})})
    assert loop.judge(MODEL.go_live).requested
    with loop.runtime.engine.connect() as connection:
        told = connection.execute(sa.select(decisions.c.evidence)).scalar_one()
        version = connection.execute(sa.select(evidence.c.version).where(evidence.c.id == told[0])).scalar_one()
    assert version == heard


def test_a_version_registered_anew_keeps_the_evidence_of_the_lost_one(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    loop.judge(MODEL.go_live)
    with loop.runtime.engine.begin() as connection:
        first = ledgers.recorded(connection, MODEL.name, 1)
        assert first is not None
        detail = {"manifest": first.manifest, "trained_until": first.trained_until.isoformat(), "restored_from": 1}
        entry = ledgers.Entry(MODEL.name, "promoted", 1, 2, "test", "person", "", None, MODEL.go_live, detail)
        ledgers.append(connection, entry)
        champion = ledgers.champion(connection, MODEL.name)
        assert champion is not None
        past = history(connection, MODEL, champion)
    assert (past.champion, len(past.findings)) == (2, 5)


def test_a_closed_window_is_decided_once(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    assert len(loop.judge(MODEL.go_live).judgements) == 5
    assert loop.judge(MODEL.go_live).judgements == []


def test_old_training_data_ask_for_a_retraining_once(loop: Loop) -> None:
    loop.bootstrap()
    loop.model = MODEL.model_copy(update={"freshness": MODEL.freshness.model_copy(update={"max_training_age": WEEK})})
    loop.play(MODEL.go_live, MODEL.go_live + 2 * WEEK)
    assert loop.judge(MODEL.go_live).requested
    assert not loop.judge(MODEL.go_live + WEEK).requested, "one is under way"
    with loop.runtime.engine.connect() as connection:
        (asked,) = requests.in_status(connection, "pending")
    assert asked.id == requests.new(loop.model, "freshness", "", champion=1, cutoff=MODEL.go_live + WEEK).id
    assert asked.cutoff == MODEL.go_live + WEEK


def test_a_broken_window_is_quarantined_and_not_trained_on(loop: Loop) -> None:
    loop.model = MODEL.model_copy(update={"drift": MODEL.drift.model_copy(update={"settle": timedelta()})})
    loop.bootstrap()
    broken = (MODEL.go_live, MODEL.go_live + WEEK)
    stuck = pl.when(pl.col("period_start") < broken[0] - timedelta(hours=1)).then(pl.col("demand")).otherwise(0.25)
    loop.recorded = {"half_hours": electricity().recorded["half_hours"].with_columns(demand=stuck)}
    loop.play(*broken)
    judged = loop.judge(broken[0])
    found = {one.kind: one for one in judged.judgements}
    assert found["quality"].verdict == "alarm"
    assert found["quality"].reason == "demand is stuck at 0.25"
    for kind in ("drift", "performance"):
        assert (found[kind].verdict, found[kind].detail["quarantined_rows"]) == ("insufficient", 7 * 48)
        assert found[kind].reason.endswith("; 336 rows of quarantined days are left out")
    assert not judged.requested, "what is broken asks for no retraining"
    with loop.runtime.engine.connect() as connection:
        assert quarantines.excluded_spans(connection, MODEL) == list(quarantines.days_of(broken))
        columns = {one.column for one in quarantines.of_model(connection, MODEL.name)}
        assert columns == {"demand"}
    held_back = training_set.assemble(loop.runtime, MODEL, cutoff=_with_days(loop, broken[1]), request=None)
    rows = loop.runtime.lake.get_frame(held_back.rows_hash)
    assert rows["_event_time"].max() < broken[0]  # type: ignore[operator]
    with loop.runtime.engine.begin() as connection:
        held = quarantines.of_model(connection, MODEL.name)
        assert quarantines.release(connection, held, "ann", "the meter was right") == 7
        assert quarantines.release(connection, held, "bob", "again") == 0
        assert {one.release.actor for one in quarantines.of_model(connection, MODEL.name) if one.release} == {"ann"}
    released = training_set.assemble(loop.runtime, MODEL, cutoff=broken[1], request=None)
    assert released.rows == held_back.rows + 6 * 48, "the last day is whole only when the clock has passed its end"


def test_a_few_rows_out_of_bounds_are_left_out_one_by_one_and_quarantine_nothing(loop: Loop) -> None:
    loop.bootstrap()
    end = MODEL.go_live + WEEK
    loop.play(MODEL.go_live, end - timedelta(hours=1))
    before = training_set.assemble(loop.runtime, MODEL, cutoff=_with_days(loop, end), request=None).rows
    far = [odd_hour(number, hour) for number, hour in enumerate([1e9, -1.0, 48.0])]
    loop.log(far, [outcome_of(one) for one in far])
    loop.play(end - timedelta(hours=1), end)
    verdict, drift = (one for one in loop.judge(MODEL.go_live).judgements if one.kind in ("quality", "drift"))
    assert verdict.verdict == "ok"
    assert verdict.reason.endswith("half_hour outside 0 to 47 in 3 rows, such as 1000000000.0: left out")
    assert (verdict.detail["rows"], drift.detail["rows"]) == (339, 336)
    with loop.runtime.engine.connect() as connection:
        assert quarantines.excluded_spans(connection, MODEL) == []
    assembled = training_set.assemble(loop.runtime, MODEL, cutoff=_with_days(loop, end), request=None)
    learnt = loop.runtime.lake.get_frame(assembled.rows_hash)
    assert learnt["half_hour"].is_between(0, 47).all()
    assert not learnt[REQUEST_ID].is_in([one.request_id for one in far]).any()
    assert assembled.rows == before


def odd_hour(number: int, hour: float) -> Prediction:
    """A request of the first afternoon whose half-hour there is none of."""
    asked = prediction(number, at=MODEL.go_live + timedelta(hours=12, seconds=number))
    return msgspec.structs.replace(asked, request_id=f"odd-{number}", features=asked.features | {"half_hour": hour})


def outcome_of(asked: Prediction) -> Outcome:
    """It went up, known an hour later."""
    at = asked.event_time + timedelta(hours=1)
    return Outcome(request_id=asked.request_id, model=asked.model, outcome=1.0, observed_at=at)


def test_one_broken_day_of_a_window_is_no_evidence_and_the_others_are(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    day = (MODEL.go_live + timedelta(days=2), MODEL.go_live + timedelta(days=3))
    with loop.runtime.engine.begin() as connection:
        quarantines.put(connection, MODEL.name, day, {"demand": "a person saw it"})
    rows = {one.kind: one.detail.get("rows", 0) for one in loop.judge(MODEL.go_live).judgements}
    assert (rows["quality"], rows["drift"]) == (7 * 48, 6 * 48)
    assert 0 < rows["performance"] <= 6 * 48


@pytest.mark.parametrize("column", [MODEL.label, "*", "demand", "of_no_use"])
def test_what_is_quarantined_is_left_out_if_the_model_reads_it(loop: Loop, column: str) -> None:
    loop.bootstrap()
    day = (MODEL.go_live - timedelta(days=3), MODEL.go_live - timedelta(days=2))
    rows = training_set.assemble(loop.runtime, MODEL, cutoff=MODEL.go_live, request=None).rows
    with loop.runtime.engine.begin() as connection:
        quarantines.put(connection, MODEL.name, day, {column: "a person saw it"})
    without = training_set.assemble(loop.runtime, MODEL, cutoff=MODEL.go_live, request=None)
    assert rows - without.rows == (0 if column == "of_no_use" else 48)


def _with_days(loop: Loop, cutoff: datetime) -> datetime:
    """Land and compute the days that are whole; returns the cutoff."""
    available = daily_partitions.available_days(loop.runtime, MODEL)
    daily_partitions.land_days(loop.runtime, MODEL, available)
    daily_partitions.compute_days(loop.runtime, MODEL, available)
    return cutoff


def test_a_verdict_against_another_champion_promotes_nothing(loop: Loop) -> None:
    loop.bootstrap()
    evaluation, _ = manifests.newest(loop.runtime, MODEL, "evaluation", Evaluation)
    manifests.put(loop.runtime, MODEL, "evaluation", msgspec.structs.replace(evaluation, reason="made at the same time"), 0)
    with pytest.raises(StaleChampionError, match="version 1 is champion now"):
        conclude(loop.runtime, MODEL, actor="test")
    assert len(loop.registry.artifacts) == 1


def test_a_promotion_that_is_repeated_is_told_again_and_done_once(loop: Loop) -> None:
    loop.bootstrap()
    again = conclude(loop.runtime, MODEL, actor="again")
    assert (again.version, again.replaced, len(loop.registry.artifacts)) == (1, None, 1)
    with loop.runtime.engine.connect() as connection:
        assert connection.execute(sa.select(ledger.c.actor)).scalars().all() == ["test"]


def test_a_rejection_that_is_repeated_is_told_again_and_written_once(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(MODEL.go_live, MODEL.go_live + WEEK)
    loop.model = MODEL.model_copy(update={"gate": MODEL.gate.model_copy(update={"prove": "better", "margin": 1.0})})
    rejected = loop.retrain(None, cutoff=MODEL.go_live + WEEK)
    assert rejected.version is None
    assert conclude(loop.runtime, loop.model, actor="again") == rejected
    with loop.runtime.engine.connect() as connection:
        told = connection.execute(sa.select(ledger.c.action, ledger.c.actor).order_by(ledger.c.id)).all()
    assert told == [("promoted", "test"), ("rejected", "test")]


def test_what_was_never_materialized_or_landed_is_told(loop: Loop) -> None:
    with pytest.raises(EmptyPartitionError, match="training_set was never materialized"):
        manifests.newest(loop.runtime, MODEL, "training_set", TrainingSet)
    with pytest.raises(EmptyPartitionError, match="nothing has landed on 1996-05-07"):
        daily_partitions.land_days(loop.runtime, MODEL, ["1996-05-07"])
    with pytest.raises(EmptyPartitionError, match="nothing has landed on 1996-05-07, or its clock has not passed it"):
        daily_partitions.compute_days(loop.runtime, MODEL, ["1996-05-07"])
    with pytest.raises(EmptyPartitionError, match="no features before 1996-09-04"):
        training_set.assemble(loop.runtime, MODEL, cutoff=MODEL.go_live, request=None)


def test_rows_whose_label_is_neither_class_are_left_out_and_counted(loop: Loop) -> None:
    def history(half_hours: Any) -> Any:
        rows = MODEL.history(half_hours)
        return rows.with_columns(
            up=nw.when(nw.col("half_hour") == 0).then(nw.lit(2.0)).otherwise(nw.col("up").cast(nw.Float64))
        )

    whole = training_set.assemble(loop.runtime, MODEL, cutoff=_published(loop), request=None)
    loop.model = MODEL.model_copy(update={"history": history})
    given = training_set.assemble(loop.runtime, loop.model, cutoff=MODEL.go_live, request=None)
    assert given.unusable > 100
    assert given.rows == whole.rows - given.unusable
    assert given.unusable_because.startswith("up is 2.0 in one of them, no 0 or 1; correct")
    assert isinstance(given.baseline, float)
    assert 0 < given.baseline < 1


def _published(loop: Loop) -> datetime:
    loop.publish(until=MODEL.go_live)
    return _with_days(loop, MODEL.go_live)


def test_an_empty_day_leaves_nothing_half_written(loop: Loop) -> None:
    loop.publish(until=MODEL.go_live)
    with pytest.raises(EmptyPartitionError):
        daily_partitions.land_days(loop.runtime, MODEL, ["1996-05-07", "1997-05-07"])
    with loop.runtime.engine.connect() as connection:
        assert partitions.newest(connection, lineage.raw_dataset(MODEL, "half_hours")) == {}


def test_a_request_that_was_carried_out_tells_its_end(loop: Loop) -> None:
    loop.publish(until=MODEL.go_live)
    request = RetrainRequest("id", MODEL.name, "bootstrap", "the first", None, MODEL.go_live, MODEL.go_live)
    with loop.runtime.engine.begin() as connection:
        assert requests.add(connection, request)
        assert not requests.add(connection, request)
    loop.retrain(request)
    with loop.runtime.engine.connect() as connection:
        found = requests.find(connection, "id")
        assert connection.execute(sa.select(sa.func.count()).select_from(retrain_requests)).scalar() == 1
    assert found.status == "promoted"
    assert "first champion" in str(found.result)
