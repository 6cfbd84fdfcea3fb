"""The loop in one process, without Kafka, MLflow and Dagster: for tests of what it decides, not of how it travels."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.events import Outcome, Prediction
from everfit.features.history import labelled
from everfit.features.offline import compute
from everfit.registry import Registry
from everfit.replay import timeline
from everfit.settings import Settings
from everfit.store import ledger
from everfit.store.lake import Lake
from everfit.store.publishing import publish
from everfit.store.requests import RetrainRequest
from everfit.training.artifact import Scorer, Signature
from everfit.workflow import days, fitting, judging, manifests, promotion, training
from monitors.judge import Judged, judge_window
from tests.events import write


class FakeRegistry(Registry):
    """Numbers versions and keeps the ledger; no MLflow."""

    def __init__(self) -> None:
        self.versions: list[tuple[bytes, Signature]] = []

    def register(self, model: str, onnx: bytes, signature: Signature, tags: Mapping[str, str]) -> int:
        self.versions.append((onnx, signature))
        return len(self.versions)

    def fetch(self, model: str, version: int) -> tuple[bytes, Signature]:
        return self.versions[version - 1]

    def promote(self, connection: sa.Connection, entry: ledger.Entry) -> None:
        ledger.append(connection, entry)


class Loop:
    """One model's loop over the recorded rows of its sources, by name, which a test may have changed."""

    def __init__(self, engine: sa.Engine, home: Path, model: Model, recorded: Mapping[str, pl.DataFrame] | None = None) -> None:
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings(home, url, "127.0.0.1:1", "http://127.0.0.1:1", "", "", home / "lake")
        self.deployment = Deployment(settings)
        self.registry = FakeRegistry()
        self.deployment.__dict__ |= {"engine": engine, "lake": Lake(home / "lake"), "registry": self.registry}
        self.deployment.__dict__["models"] = {model.name: model}
        self.model = model
        self.recorded = recorded or {source.name: timeline.recorded(source) for source in model.sources}

    def bootstrap(self) -> None:
        """Publish what was known at the go-live, train on it, promote."""
        self.publish(until=self.model.go_live)
        concluded = self.retrain(None)
        assert concluded.version == 1, concluded.reason

    def publish(self, *, since: datetime | None = None, until: datetime) -> None:
        """Land the rows that became known in ``(since, until]``."""
        for source in self.model.sources:
            known = pl.col(source.event_time) + source.known_after
            rows = self.recorded[source.name].filter(known <= until, *([known > since] if since else []))
            publish(self.deployment.engine, self.deployment.models, source.name, rows)

    def retrain(self, request: RetrainRequest | None, cutoff: datetime | None = None) -> promotion.Conclusion:
        """raw_data to champion, as the assets do it."""
        return retrain(self.deployment, self.model, request, cutoff)

    def play(self, start: datetime, end: datetime) -> None:
        """Publish, answer with the champion and observe the outcomes of ``[start, end)``."""
        self.publish(since=start, until=end)
        asked = labelled(self.model, self.recorded).filter(pl.col("_event_time").is_between(start, end, closed="left"))
        rows = compute(self.model.views, self.recorded, asked)
        with self.deployment.engine.connect() as connection:
            champion = ledger.champion(connection, self.model.name)
        assert champion is not None
        scores = Scorer(*self.registry.versions[champion.version - 1]).score(rows)
        names = [name for name, _ in self.model.features]
        predictions = [
            Prediction(
                request_id=row["_request_id"],
                model=self.model.name,
                version=champion.version,
                role="champion",
                entity=row[self.model.entity],
                event_time=row["_event_time"],
                features={name: row[name] for name in names},
                score=float(score),
                schema=self.model.schema_id,
            )
            for row, score in zip(rows.iter_rows(named=True), scores, strict=True)
        ]
        outcomes = [
            Outcome(
                request_id=row["_request_id"],
                model=self.model.name,
                outcome=row["_label"],
                observed_at=row["_observed_at"],
            )
            for row in rows.iter_rows(named=True)
        ]
        self.log(predictions, outcomes)

    def log(self, predictions: Sequence[Prediction], outcomes: Sequence[Outcome] = ()) -> None:
        """Write what one poll might have brought."""
        write(self.deployment.engine, predictions, outcomes)

    def judge(self, start: datetime) -> Judged:
        """Judge the window that begins at ``start``."""
        span = (start, start + self.model.drift.window)
        with self.deployment.engine.begin() as connection:
            return judge_window(connection, self.deployment.lake, self.model, span)


def retrain(
    deployment: Deployment, model: Model, request: RetrainRequest | None, cutoff: datetime | None = None
) -> promotion.Conclusion:
    """raw_data to champion, as the assets do it."""
    available = days.available_days(deployment, model)
    days.land_days(deployment, model, available)
    days.compute_days(deployment, model, available)
    until = cutoff or training.default_cutoff(deployment, model, request)
    assembled = training.assemble(deployment, model, cutoff=until, request=request)
    trained = fitting.train(deployment, model, assembled, manifests.put(deployment, model, "training_set", assembled, 0))
    judged = judging.evaluate(deployment, model, trained, manifests.put(deployment, model, "trained_model", trained, 0))
    manifests.put(deployment, model, "evaluation", judged, 0)
    return promotion.conclude(deployment, model, actor="test")
