"""The rules that a candidate is held to: what each has found, kept and shown for every candidate, passed or failed."""

from collections.abc import Sequence
from typing import Literal

from everfit.environment.formats import Kept

Verdict = Literal["passed", "rejected", "inconclusive"]


class Rule(Kept, frozen=True, kw_only=True):
    """One thing that is asked of a candidate.

    Attributes:
        name: such as ``latency``; each once a candidate.
        figure: what was measured, in the unit that ``words`` name; None where the rule has no number.
        allowed: the limit that ``figure`` is held against, on whichever side ``words`` say; None where there is none.
        passed: None where the data decide neither way yet.
        words: the finding as a sentence, with the figure and the limit.
    """

    name: str
    figure: float | None = None
    allowed: float | None = None
    passed: bool | None
    words: str

    @property
    def state(self) -> str:
        """The outcome in a word: ``passed``, ``failed`` or ``open``."""
        return "open" if self.passed is None else "passed" if self.passed else "failed"


def verdict(rules: Sequence[Rule]) -> Verdict:
    """One rule that failed rejects; otherwise one that is open leaves the candidate inconclusive."""
    if any(rule.passed is False for rule in rules):
        return "rejected"
    return "inconclusive" if any(rule.passed is None for rule in rules) else "passed"


def reason_of(rules: Sequence[Rule]) -> str:
    """Why: what failed or is open, then the first rule, which is the comparison."""
    first = rules[0]
    decisive = [rule for rule in rules if rule.passed is False] or [rule for rule in rules if rule.passed is None]
    told = decisive if first in decisive else [*decisive, first]
    return "; ".join(rule.words for rule in told)
