"""How a version that fails live must end: rejected or rolled back by itself, in time, with every request answered."""

from everfit.drills.catalogue import Announce
from everfit.drills.guarantee_report import Report
from everfit.drills.live_model import LiveModel, Truth
from everfit.store.rollouts import OPEN

FAILED = ("rejected", "rolled_back")


def await_end(live: LiveModel, truth: Truth, within_days: int, announce: Announce) -> int:
    """Play day by day until the newest rollout has ended, at most so many days; returns how many."""
    for played in range(within_days + 1):
        rollout = live.rollout()
        if rollout is None or rollout.state not in OPEN:
            return played
        announce(f"day {played}: version {rollout.version} {rollout.state}: {rollout.reason}")
        live.play(truth)
    return within_days + 1


def report(drill: str, did: list[str], live: LiveModel, days: int) -> Report:
    """What became of the version, by its rollout, the ledger's champion and serving's."""
    rollout = live.rollout()
    counts = {"requests": live.asked, "failed": live.failed, "days": days}
    wrong = [f"{live.failed} of {live.asked} requests failed"] if live.failed else []
    if rollout is None:
        return Report(drill, [*did, "no version passed the gate"], counts, wrong)
    did.append(f"version {rollout.version} ended {rollout.state.replace('_', ' ')} after {days} days: {rollout.reason}")
    if rollout.state not in FAILED:
        wrong.append(f"version {rollout.version} is {rollout.state} after {days} days: {rollout.reason}")
    if live.champion() != rollout.replaces:
        wrong.append(f"version {live.champion()} answers as champion, not version {rollout.replaces}, which was replaced")
    return Report(drill, did, counts, wrong)
