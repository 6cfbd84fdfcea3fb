"""The figures of serving. Those of answers are counted by role and version, so that two versions can be compared."""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable
from itertools import accumulate

Labels = tuple[tuple[str, str], ...]

BOUNDS_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Counter:
    """A number that only increases, for each set of labels."""

    kind = "counter"

    def __init__(self, name: str, help: str) -> None:
        self.name = name
        self.help = help
        self._values: Tally[Labels] = Tally()

    def add(self, amount: int, **labels: str) -> None:
        """Add to the count; labels that were never counted are not shown."""
        if amount:
            self._values[tuple(labels.items())] += amount

    def samples(self) -> Iterable[tuple[str, Labels, float]]:
        """Name, labels and value of each line of the exposition."""
        return [(self.name, labels, value) for labels, value in self._values.items()]


class Durations:
    """How many durations were at most so many seconds, for each set of labels; a histogram of Prometheus."""

    kind = "histogram"

    def __init__(self, name: str, help: str) -> None:
        self.name = name
        self.help = help
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def add(self, seconds: float, **labels: str) -> None:
        """Count a duration."""
        key = tuple(labels.items())
        self._counts.setdefault(key, [0] * (len(BOUNDS_SECONDS) + 1))[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self._sums[key] = self._sums.get(key, 0.0) + seconds

    def samples(self) -> Iterable[tuple[str, Labels, float]]:
        """Name, labels and value of each line of the exposition."""
        for labels, counts in self._counts.items():
            for bound, count in zip((*map(str, BOUNDS_SECONDS), "+Inf"), accumulate(counts), strict=True):
                yield f"{self.name}_bucket", (*labels, ("le", bound)), count
            yield f"{self.name}_sum", labels, self._sums[labels]
            yield f"{self.name}_count", labels, sum(counts)


class Metrics:
    """The figures of serving; labels of answers are model, role and version."""

    def __init__(self) -> None:
        self.requests = Counter("everfit_requests_total", "Requests by model and status.")
        self.answers = Counter("everfit_answers_total", "Rows that a version answered and that were logged.")
        self.degraded = Counter("everfit_degraded_total", "Rows answered without a view, or by a fallback.")
        self.failures = Counter("everfit_failures_total", "Requests that a version did not answer, or not in time.")
        self.out_of_range = Counter("everfit_out_of_range_total", "Requests to which a version gave no answer of its task.")
        self.dropped = Counter("everfit_shadow_dropped_total", "Requests that a shadow which lags did not get.")
        self.stand_ins = Counter("everfit_stand_ins_total", "Rows that the champion answered in a challenger's place.")
        self.null_units = Counter("everfit_null_units_total", "Rows that the champion answered, as the rollout's unit is null.")
        self.seconds = Durations("everfit_answer_seconds", "Time in which a version answered a request, its waiting included.")

    def figures(self) -> Iterable[Counter | Durations]:
        """All figures."""
        counters = (self.requests, self.answers, self.degraded, self.failures, self.out_of_range)
        return (*counters, self.dropped, self.stand_ins, self.null_units, self.seconds)
