"""The records on which policies are compared: the losses of weekly models of a declared recipe, and the spans looked at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module

from everfit.declaration import FreshnessPolicy, Limits, Model
from everfit.pipeline.loss_matrix import loss_matrix
from everfit.policy.losses import Losses
from everfit.replay.recorded_rows import recorded_rows
from everfit.store.fit_cache import FitCache

SHIFT = 4  # windows between the starts
EARLY = 0.65  # of the days from the go-live on: where the shorter spans end
ENDLESS = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Record:
    """A declared model, where it is declared, and how many retrainings its share of the weekly gain is looked at by."""

    module: str
    model: str
    retrainings: int
    early_end: datetime | None = None  # of the shorter spans, where it is not 65 % of the days

    def declared(self) -> Model:
        """The model with its first recipe, and nothing above its policy: no limit, no age."""
        model: Model = getattr(import_module(self.module), self.model)
        limits = Limits(cooldown=timedelta(), retrains_per_month=1_000)
        changed = {"candidates": model.candidates[:1], "limits": limits, "freshness": FreshnessPolicy(max_training_age=ENDLESS)}
        return model.model_copy(update=changed)


RECORDS: Mapping[str, Record] = {
    "electricity": Record("models.electricity_price", "electricity_price", 16, datetime(1998, 1, 1, tzinfo=UTC)),
    "flights": Record("models.flight_delay", "flight_delay", 9),
    "traffic": Record("models.traffic_volume", "traffic_volume", 9),
    "weather": Record("models.traffic_weather", "traffic_weather", 9),
    "orders": Record("benchmarks.declared.orders", "orders_again", 9),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A case: from one of three starts to one of two ends."""

    record: str
    end: str  # early or late
    losses: Losses


def spans(name: str, cache: FitCache | None, told: Callable[[int, int], None] | None = None) -> Sequence[Span]:
    """Three starts, four windows apart, around the go-live, and two ends; each on the same models."""
    record = RECORDS[name]
    model = record.declared()
    rows = recorded_rows(model)
    newest = rows["_event_time"].max()
    assert isinstance(newest, datetime)
    first = model.go_live - SHIFT * model.drift.window
    end = model.go_live + (newest - model.go_live) // timedelta(days=1) * timedelta(days=1)
    losses = loss_matrix(model, model.candidates[0], rows, (first, end), cache=cache, told=told)
    early = record.early_end or model.go_live + (end - model.go_live) * EARLY
    ends = {"early": (early - first).days, "late": (end - first).days}
    return [Span(name, which, losses.cut(start, day)) for which, day in ends.items() for start in (0, SHIFT, 2 * SHIFT)]
