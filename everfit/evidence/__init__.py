"""Evidence: what a closed window of the prediction log shows about a version of a model.

A kind of evidence is a class. Those of everfit and those of installed packages stand in one table
(:mod:`everfit.evidence.kinds`), which all that judges, decides and shows reads.
"""

from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import msgspec

if TYPE_CHECKING:
    from everfit.evidence.judged_window import JudgedWindow

Verdict = Literal["ok", "alarm", "insufficient"]
Trigger = Literal["quarantine", "retraining", "nothing"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. ``statistic`` at or above ``threshold`` is an alarm; both are None where nothing could be measured.

    ``detail`` holds the numbers behind it, JSON-able. An alarm that triggers a quarantine names in ``detail["by_column"]`` what
    is not trained on: columns, or ``*`` for the rows themselves, each with its reason. ``report`` is a page of HTML for a
    person; the lake keeps it.

    Raises:
        ValueError: for an unknown verdict.
    """

    verdict: Verdict
    statistic: float | None = None
    threshold: float | None = None
    reason: str
    detail: dict[str, Any] = {}
    report: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"verdict {self.verdict!r}: evidence is one of {', '.join(get_args(Verdict))}")


class EvidenceKind(Protocol):
    """A kind of evidence: subclass it, name and describe it, judge.

    A package adds one by an entry point of the group ``everfit.evidence`` (:mod:`everfit.environment.extensions`): a class that
    is called without arguments.
    """

    name: str
    """Lower-case; also the name of the champion's check, and the cause of a retraining that it triggers."""

    describes: str
    """What it measures against what, in a sentence, for the check's page."""

    triggers: Trigger = "nothing"
    """What an alarm leads to: what is broken is quarantined, a change opens an episode that the policy may retrain for."""

    def judge(self, window: "JudgedWindow") -> Evidence:
        """Judge one version's share of a closed window by what was known when the window could close."""
