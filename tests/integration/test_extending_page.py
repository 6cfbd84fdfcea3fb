"""The examples of docs/extending.md, installed as a package would install them, and used for real."""

import json
import logging
import smtplib
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Self

import pytest
import sqlalchemy as sa

from everfit.alerts.channels import Channels
from everfit.alerts.notification import notify
from everfit.alerts.state import Findings
from everfit.environment.extensions import extensions
from everfit.pipeline.trackers import TrackedRun, Trackers
from everfit.sources.publication import publish_from
from everfit.store.log import Batch, DeadLetter, LogWriter, Position, Step
from everfit.store.tables import predictions
from everfit.topics.events import OUTCOMES, PREDICTIONS, encode
from monitors.redrive import redrive
from tests.events import MODEL, outcome
from tests.extensions import Install, documented

MODELS = {MODEL.name: MODEL}


def test_the_reader_of_a_meter(engine: sa.Engine, install: Install) -> None:
    install(documented("Readers of sources"), sources="meter")
    assert publish_from(engine, MODELS, "half_hours", "meter://1996-05-07/3") == (144, 144)


def test_the_format_of_an_inference_table(engine: sa.Engine, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(documented("Log formats"), log_formats="Inference")
    monkeypatch.setenv("EVERFIT_LOG_FORMAT", "inference")
    inputs = {name: "NSW" if kind == "category" else 0.25 for name, kind in MODEL.features} | {MODEL.entity: "NSW"}
    row = {"id": "a", "model": MODEL.name, "version": 3, "timestamp_ms": MODEL.go_live.timestamp() * 1000}
    row |= {"request": {"inputs": [inputs] * 2}, "response": {"predictions": [0.25, 0.75]}}
    values = {PREDICTIONS: json.dumps(row).encode(), OUTCOMES: encode(outcome(0))}
    letters = [DeadLetter(topic, 0, 0, "log", value, "of another format") for topic, value in values.items()]
    steps = [Step(0, Position(topic, 0, 1, "log", ""), 1) for topic in values]
    assert LogWriter(engine).write(Batch(dead=letters, steps=steps))
    assert redrive(engine, MODELS, [1, 2]).stored == [1, 2]
    with engine.connect() as connection:
        stored = sa.select(predictions.c.request_id, predictions.c.version, predictions.c.score).order_by(predictions.c.score)
        assert connection.execute(stored).all() == [("a-0", 3, 0.25), ("a-1", 3, 0.75)]


def test_the_tracker_that_keeps_a_diary(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    install(documented("Trackers"), trackers="Diary")
    trackers = Trackers(extensions("trackers"), TrackedRun("1a2b", "m"), logging.getLogger())
    trackers.log_tags({"cause": "drift"})
    trackers.log_params({"mlp.epochs": 2})
    trackers.log_metrics({"mlp.log_loss": 0.5})
    trackers.log_document({"days": []}, "training_set.json")
    trackers.end(failed=False)
    lines = [json.loads(line) for line in (tmp_path / "diary-m-1a2b.jsonl").read_text().splitlines()]
    expected: dict[str, object] = {"tags": {"cause": "drift"}, "params": {"mlp.epochs": 2}, "metrics": {"mlp.log_loss": 0.5}}
    assert lines == [{kind: values} for kind, values in expected.items()] + [
        {"training_set.json": {"days": []}},
        {"end": "finished"},
    ]


def test_the_channel_that_sends_mail(engine: sa.Engine, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        mails: list[EmailMessage] = []  # noqa: RUF012 - of the one test

        def __init__(self, *_: object, **__: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def send_message(self, mail: EmailMessage) -> None:
            self.mails.append(mail)

    monkeypatch.setattr(smtplib, "SMTP", Server)
    install(documented("Alert channels"), alert_channels="Mail")
    wrong = Findings({"request"}, {("m", "request:1"): "it failed"}, {})
    (notice,) = notify(engine, wrong, Channels.from_environment({}))
    (mail,) = Server.mails
    assert (mail["Subject"], mail.get_content()) == ("raised: request:1", "m: it failed\n")
    assert notice.alert.first_at <= datetime.now(UTC)
