"""A log format from outside the package: its records on a real broker, read, refused and redriven as everfit's own."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from kafka import KafkaProducer

from everfit.declaration import Model
from everfit.doctor.extension_checks import extension_checks
from everfit.environment.kafka_options import options
from everfit.errors import EventError, SettingsError
from everfit.store import letters
from everfit.store.lake import Lake
from everfit.store.tables import outcomes, predictions
from everfit.topics.events import OUTCOMES, PREDICTIONS, Outcome, encode
from everfit.topics.log_formats import LogRecord, translator
from monitors.log_pass import run_pass
from monitors.log_reader import LogReader
from monitors.redrive import redrive
from tests.events import MODEL
from tests.extensions import Install

MODELS = {MODEL.name: MODEL}
# Rows of an inference table, the request and the answers as JSON in JSON, and a header that names the model.
INFERENCE = """
import json
from datetime import UTC, datetime
from everfit.topics.events import Outcome, Prediction

class Inference:
    def __init__(self, models):
        self.models = models

    def decode_predictions(self, record):
        row = json.loads(record.value)
        model = self.models[record.headers["model"].decode() if record.headers else row["model"]]
        asked, answered = json.loads(row["request"])["inputs"], json.loads(row["response"])["predictions"]
        for number, (features, score) in enumerate(zip(asked, answered, strict=True)):
            yield Prediction(
                request_id=f"{row['id']}-{number}", model=model.name, version=row["version"], role="champion", score=score,
                entity=features[model.entity], event_time=datetime.fromtimestamp(row["timestamp_ms"] / 1000, UTC),
                features={name: features.get(name) for name, _ in model.features}, schema=model.schema_id,
            )

    def decode_outcomes(self, record):
        row = json.loads(record.value)
        at = datetime.fromtimestamp(row["timestamp_ms"] / 1000, UTC)
        return [Outcome(request_id=row["id"], model=row["model"], outcome=row["label"], observed_at=at)]
"""


@pytest.fixture(autouse=True)
def _inference(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(INFERENCE, log_formats="Inference")
    monkeypatch.setenv("EVERFIT_LOG_FORMAT", "inference")


def row(name: str, *scores: object, model: Model = MODEL, **others: object) -> bytes:
    """A record with an answer for each score."""
    features = {name: "NSW" if kind == "category" else 0.25 for name, kind in MODEL.features} | {MODEL.entity: "NSW"}
    moment = MODEL.go_live.timestamp() * 1000
    request, response = json.dumps({"inputs": [features] * len(scores)}), json.dumps({"predictions": scores})
    held = {"id": name, "model": model.name, "version": 1, "timestamp_ms": moment, "request": request, "response": response}
    return json.dumps(held | others).encode()


def produce(kafka: str, topic: str, *values: bytes | None) -> None:
    producer = KafkaProducer(**options(kafka))
    for value in values:
        producer.send(topic, key=b"NSW", value=value, headers=[("model", MODEL.name.encode())])
    producer.flush()
    producer.close()


def stored(engine: sa.Engine) -> list[tuple[str, float]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(predictions.c.request_id, predictions.c.score).order_by(predictions.c.request_id))
        return [(row.request_id, row.score) for row in rows]


def test_records_of_another_system_are_read_and_what_cannot_be_decoded_is_kept_as_it_came(
    engine: sa.Engine, kafka: str, tmp_path: Path
) -> None:
    broken, bad = b"no json", row("bad", 0.5, 1.5)
    produce(kafka, PREDICTIONS, row("a", 0.25, 0.75), broken, bad, None, row("nothing"), row("b\\\t", 0.5))
    label = {"id": "a-0", "model": MODEL.name, "label": 1.0, "timestamp_ms": MODEL.go_live.timestamp() * 1000 + 1}
    produce(kafka, OUTCOMES, json.dumps(label).encode(), b"{}")
    seen = run_pass(engine, Lake(tmp_path), kafka, MODELS, linger_seconds=0.0)
    assert (seen.predictions, seen.outcomes, seen.dead_letters) == ({MODEL.name: 4}, {MODEL.name: 1}, 4)
    assert stored(engine) == [("a-0", 0.25), ("a-1", 0.75), ("b\\\t-0", 0.5), ("bad-0", 0.5)]
    with engine.connect() as connection:
        dead = {letter.value: letter.reason for letter in letters.newest(connection)}
        assert connection.execute(sa.select(outcomes.c.observed_at)).scalar_one() > datetime(1996, 1, 1, tzinfo=UTC)
    assert dead.keys() == {broken, bad, None, b"{}"}, "raw, as they were read"
    assert dead[broken].startswith("log format inference cannot decode it: JSONDecodeError: Expecting value")
    assert dead[bad].startswith("score 1.5 is no probability")
    assert dead[b"{}"] == "log format inference cannot decode it: KeyError: 'timestamp_ms'"
    assert run_pass(engine, Lake(tmp_path), kafka, MODELS, linger_seconds=0.0).dead_letters == 0


def test_a_letter_is_redriven_by_the_format(engine: sa.Engine, kafka: str, tmp_path: Path) -> None:
    later = MODEL.model_copy(update={"name": "later"})
    produce(kafka, PREDICTIONS, row("c", 0.5, 0.5, timestamp_ms="late"), b"no json")
    assert run_pass(engine, Lake(tmp_path), kafka, MODELS, linger_seconds=0.0).dead_letters == 2
    with engine.begin() as connection:
        mended = sa.text("UPDATE dead_letters SET value = :value WHERE id = 1")
        connection.execute(mended, {"value": row("c", 0.5, 0.75, model=later)})
    assert redrive(engine, MODELS, [1]).refused == {1: "log format inference cannot decode it: KeyError: 'later'"}
    done = redrive(engine, MODELS | {"later": later}, [1, 2])
    assert done.stored == [1]
    assert done.refused[2].startswith("log format inference cannot decode it: JSONDecodeError")
    assert stored(engine) == [("c-0", 0.5), ("c-1", 0.75)]


def test_a_format_that_is_not_there_is_refused_with_those_that_are_and_told_by_the_doctor(
    engine: sa.Engine, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [(check.name, check.message) for check in extension_checks({"EVERFIT_LOG_FORMAT": "inference"})] == [
        ("log formats", "installed: inference"),
        ("log format", "inference, by EVERFIT_LOG_FORMAT"),
    ]
    (installed,) = extension_checks({"EVERFIT_LOG_FORMAT": "everfit"})
    assert [installed] == extension_checks({})
    installed, check = extension_checks({"EVERFIT_LOG_FORMAT": "seldon"})
    assert not check.ok
    monkeypatch.setenv("EVERFIT_LOG_FORMAT", "seldon")
    told = "EVERFIT_LOG_FORMAT='seldon' is no log format; there are everfit, inference: install its package, or set another"
    for begin in (lambda: LogReader(kafka, MODELS), lambda: redrive(engine, MODELS, [])):
        with pytest.raises(SettingsError) as refused:
            begin()
        assert str(refused.value) == told == check.message


FAULTS = {
    "class Other:\n def __init__(self, _): ...\n def decode_predictions(self, _): ...": "has no method decode_outcomes(record)",
    "class Other:\n def __init__(self, _): ...\n decode_predictions = 5": "has no method decode_predictions(record)",
    "def Other(models): raise SystemExit(3)": "cannot be made (SystemExit: 3)",
    "Other = 5": "cannot be made (TypeError: 'int' object is not callable)",
}


@pytest.mark.parametrize("source", FAULTS)
def test_a_format_that_cannot_decode_is_refused_before_anything_is_read(install: Install, source: str) -> None:
    install(source, log_formats="Other")
    reason = f"log format other {FAULTS[source]}; repair its package, or set another EVERFIT_LOG_FORMAT"
    with pytest.raises(SettingsError) as refused:
        translator(MODELS, {"EVERFIT_LOG_FORMAT": "other"})
    assert str(refused.value) == reason
    _, check = extension_checks({"EVERFIT_LOG_FORMAT": "other"})
    assert (check.message, check.ok) == (reason, False)


def test_a_format_with_the_name_of_everfits_own_is_refused(install: Install) -> None:
    install("class Everfit: ...", log_formats="Everfit")
    with pytest.raises(SettingsError, match=r"'everfit' of extension_1_.* has the name of everfit's own; rename it"):
        translator(MODELS, {})
    _, check = extension_checks({})
    assert not check.ok


@pytest.mark.parametrize(
    ("topic", "body", "reason"),
    [
        (PREDICTIONS, "[decode(OUTCOMES, record.value)]", "TypeError: it gives Outcome, where Prediction is expected"),
        (OUTCOMES, "[5]", "TypeError: it gives int, where Outcome is expected"),
        (OUTCOMES, "exit(3)", "SystemExit: 3"),
    ],
)
def test_what_is_no_event_of_the_topic_is_refused_with_the_format_and_what_is_expected(
    install: Install, topic: str, body: str, reason: str
) -> None:
    imports = "from everfit.topics.events import OUTCOMES, decode\n"
    methods = f" def decode_predictions(self, record): return {body}\n decode_outcomes = decode_predictions\n"
    install(f"{imports}class Other:\n def __init__(self, models): ...\n{methods}", log_formats="Other")
    other = translator(MODELS, {"EVERFIT_LOG_FORMAT": "other"})
    assert other
    value = encode(Outcome(request_id="a", model=MODEL.name, outcome=1.0, observed_at=MODEL.go_live))
    with pytest.raises(EventError) as refused:
        other.values(LogRecord(topic, 0, 0, value))
    assert str(refused.value) == f"log format other cannot decode it: {reason}"
