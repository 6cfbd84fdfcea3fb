"""When a long-running member checks whether all is read and a window may close; a check costs a wait for the writer."""

from dataclasses import dataclass

from monitors.log_pass import BATCHES_UNTIL_CLOSE, QUIET_POLLS

CLOSE_POLLS = 20  # between two checks while no records arrive: the clock may advance, or another member catch up
CLOSE_SECONDS = 1.0  # between two checks while every poll brings records, and all known records are read


@dataclass(slots=True)
class IdleChecks:
    """Counts polls; call :meth:`due` after each of them."""

    quiet: int = 0
    batches: int = 0
    looked_at: float = float("-inf")

    def due(self, *, came: bool, caught_up: bool, now: float) -> bool:
        """Whether it is time for a check.

        Args:
            came: whether the poll returned a batch.
            caught_up: whether all known records of the partitions are read.
            now: seconds of the monotonic clock.
        """
        self.quiet = self.quiet + 1 if caught_up and not came else 0
        self.batches += came
        if came:
            due = self.batches % BATCHES_UNTIL_CLOSE == 0 or (caught_up and now - self.looked_at >= CLOSE_SECONDS)
        else:
            due = self.quiet % CLOSE_POLLS == QUIET_POLLS
        if due:
            self.looked_at = now
        return due
