"""The counters of serving."""

from collections import Counter as Tally
from collections.abc import Iterable

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that only increases, for each set of labels."""

    def __init__(self, name: str, help: str) -> None:
        self.name = name
        self.help = help
        self.values: Tally[Labels] = Tally()

    def add(self, amount: int, **labels: str) -> None:
        """Add to the count; labels that were never counted are not shown."""
        if amount:
            self.values[tuple(labels.items())] += amount


class Metrics:
    """The counters of serving."""

    def __init__(self) -> None:
        self.requests = Counter("everfit_requests_total", "Requests by model and status.")
        self.degraded = Counter("everfit_degraded_total", "Rows answered without a view, or by a fallback.")
        self.shadow_failures = Counter("everfit_shadow_failures_total", "Requests that a shadow did not answer.")

    def counters(self) -> Iterable[Counter]:
        """All counters."""
        return (self.requests, self.degraded, self.shadow_failures)
