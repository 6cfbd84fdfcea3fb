"""A task of one's own that raises at a label stops no log: the label waits as a dead letter until the task is repaired."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from everfit import BinaryClassification
from everfit.store.lake import Lake
from everfit.store.tables import dead_letters, outcomes
from everfit.topics.events import Outcome
from models.electricity_price import electricity_price
from models.flight_delay import flight_delay
from monitors.log_pass import run_pass
from monitors.redrive import redrive
from tests.events import produce


class Raising(BinaryClassification):
    """Fails at a label of 1, by a message that Postgres could not store."""

    def label_fault(self, label: Any) -> str:
        if label == 1:
            raise ValueError("no \ud800 label \0")
        return ""


def test_the_record_waits_and_the_others_are_stored(engine: sa.Engine, kafka: str, tmp_path: Path) -> None:
    ill = electricity_price.model_copy(update={"task": Raising(label="up")})
    models = {model.name: model for model in (ill, flight_delay)}
    observed = {name: model.go_live + timedelta(days=1) for name, model in models.items()}
    labels = [(ill.name, 1.0), (ill.name, 0.0), (flight_delay.name, 1.0)]
    sent = [
        Outcome(request_id=f"r{n}", model=name, outcome=label, observed_at=observed[name])
        for n, (name, label) in enumerate(labels)
    ]
    produce(kafka, sent)
    run_pass(engine, Lake(tmp_path / "lake"), kafka, models, linger_seconds=0.0)
    with engine.connect() as connection:
        assert sorted(connection.execute(sa.select(outcomes.c.request_id)).scalars()) == ["r1", "r2"]
        (letter,) = connection.execute(sa.select(dead_letters.c.id, dead_letters.c.reason)).all()
    assert letter.reason == (
        "task Raising cannot check outcome 1.0 of electricity_price: ValueError: no \\ud800 label \\0; repair it and redrive"
    )
    repaired = models | {ill.name: electricity_price}
    assert redrive(engine, repaired, [letter.id]).stored == [letter.id]
    with engine.connect() as connection:
        assert sorted(connection.execute(sa.select(outcomes.c.request_id)).scalars()) == ["r0", "r1", "r2"]
