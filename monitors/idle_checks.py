"""When a member that reads without end looks whether all is read and a window may close: a look costs a wait for the writer."""

from dataclasses import dataclass

from monitors.tick import BATCHES_UNTIL_CLOSE, QUIET_POLLS

CLOSE_POLLS = 20  # while nothing comes: an idle partition lets the clock go on, another member catches up
CLOSE_SECONDS = 1.0  # between two looks while something comes with every poll, and all that was known of is read


@dataclass(slots=True)
class IdleChecks:
    """Counts polls; :meth:`due` is asked after each of them."""

    quiet: int = 0
    batches: int = 0
    looked_at: float = float("-inf")

    def due(self, *, came: bool, caught_up: bool, now: float) -> bool:
        """Whether it is time to look.

        Args:
            came: whether the poll brought a batch.
            caught_up: whether all that is known to be on the partitions was read.
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
