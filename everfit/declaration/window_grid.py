"""Windows of event time: where they lie, when the model's clock stands where, and which of them may close."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]  # half-open: [start, end)


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Half-open windows of one length, counted from an anchor.

    The model's clock is its watermark: the event time up to which rows are taken to be complete. A window may close when the
    clock has passed its end.
    """

    anchor: datetime  # the go-live: a bound of the grid
    length: timedelta
    lateness: timedelta = timedelta()  # how much later than its event time a row may be logged
    idle_after: timedelta = timedelta.max  # of wall clock: a partition that is silent for longer does not hold the clock back

    def around(self, moment: datetime) -> Span:
        """The window of the grid that a moment falls in."""
        start = self.anchor + (moment - self.anchor) // self.length * self.length
        return start, start + self.length

    def after(self, closed_until: datetime | None) -> Span:
        """The window that follows the closed ones, by the end of the newest; the first of all where none has closed.

        It begins where that ended, and ends at the next bound of the grid: so no row is judged twice or passed over where the
        length has changed. It may be shorter then.
        """
        start = closed_until or self.anchor
        return start, self.around(start)[1]

    def due(self, closed_until: datetime | None, clock: datetime | None) -> Span | None:
        """The window that follows the closed ones where the clock has passed its end; None before that."""
        span = self.after(closed_until)
        return span if clock is not None and clock >= span[1] else None

    def clock(self, partitions: Sequence[tuple[datetime, datetime]], now: datetime) -> datetime:
        """The watermark: the least of the active partitions' newest event times, less the lateness.

        Where all partitions are idle, the newest event time of all counts.

        Args:
            partitions: of each, at least one, the newest event time and when it was read, by the wall clock.
            now: by the wall clock.
        """
        active = [newest for newest, read_at in partitions if now - read_at <= self.idle_after]
        return (min(active) if active else max(newest for newest, _ in partitions)) - self.lateness

    def closed_by(self, moment: datetime) -> datetime:
        """End of the newest window that a row of this event time lets close; the anchor where it lets none."""
        return max(self.anchor, self.around(moment - self.lateness)[0])

    def complete_at(self, end: datetime) -> datetime:
        """The event time whose row lets the window close that ends then: outcomes observed later do not count in it."""
        return end + self.lateness

    def back(self, reach: timedelta) -> Iterator[Span]:
        """Whole windows counted back from the anchor, the newest first, as many as the reach holds."""
        for number in range(1, reach // self.length + 1):
            start = self.anchor - self.length * number
            yield start, start + self.length
