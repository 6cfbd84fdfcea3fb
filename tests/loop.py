"""The loop in one process, without Kafka, MLflow and Dagster: for tests of what it decides, not of how it travels."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from everfit import Model
from everfit.environment.settings import Settings
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.pipeline.promotion import Conclusion
from everfit.pipeline.retraining import retrain
from everfit.registry import InMemoryRegistry
from everfit.replay import timeline
from everfit.runtime import Runtime
from everfit.sources.publication import publish
from everfit.store import ledger
from everfit.store.requests import RetrainRequest
from everfit.topics.events import Outcome, Prediction
from everfit.training.artifact import Scorer
from monitors.day_checks import check_days
from monitors.judgement import Judged, judge_window
from tests.events import write


class Loop:
    """One model's loop over the recorded rows of its sources, by name, which a test may have changed."""

    def __init__(self, engine: sa.Engine, home: Path, model: Model, recorded: Mapping[str, pl.DataFrame] | None = None) -> None:
        url = engine.url.render_as_string(hide_password=False)
        settings = Settings(home, url, "127.0.0.1:1", "http://127.0.0.1:1", "", "", home / "lake")
        self.registry = InMemoryRegistry()
        self.runtime = Runtime(settings, {model.name: model}, self.registry)
        self.runtime.__dict__["engine"] = engine
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
            publish(self.runtime.engine, self.runtime.models, source.name, rows)

    def retrain(self, request: RetrainRequest | None, cutoff: datetime | None = None) -> Conclusion:
        """raw_data to champion, as the assets do it."""
        return retrain(self.runtime, self.model, request, cutoff=cutoff, actor="test")

    def play(self, start: datetime, end: datetime) -> None:
        """Publish, answer with the champion and observe the outcomes of ``[start, end)``."""
        self.publish(since=start, until=end)
        asked = labelled(self.model, self.recorded).filter(pl.col("_event_time").is_between(start, end, closed="left"))
        rows = compute(self.model.views, self.recorded, asked)
        with self.runtime.engine.connect() as connection:
            champion = ledger.champion(connection, self.model.name)
        assert champion is not None
        artifact = self.registry.fetch(self.model.name, champion.version)
        scores = Scorer(artifact.content, artifact.signature).score(rows)
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
                schema=self.model.schema_id,
                **self.model.task.fields(score),
            )
            for row, score in zip(rows.iter_rows(named=True), scores.tolist(), strict=True)
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
        write(self.runtime.engine, predictions, outcomes)

    def check_days(self) -> None:
        """Judge the days that are over by the model's clock."""
        check_days(self.runtime.engine, self.runtime.lake, {self.model.name: self.model}, math.inf)

    def judge(self, start: datetime) -> Judged:
        """Judge the window that begins at ``start``."""
        span = (start, start + self.model.drift.window)
        with self.runtime.engine.begin() as connection:
            return judge_window(connection, self.runtime.lake, self.model, span)
