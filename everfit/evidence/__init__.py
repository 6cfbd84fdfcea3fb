"""Evidence: what a closed window of the prediction log shows about a version of a model.

A kind of evidence is a class. Those of everfit and those of installed packages stand in one table
(:mod:`everfit.evidence.kinds`), which all that judges, decides and shows reads.
"""

import json
import math
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import msgspec
from msgspec.structs import force_setattr

if TYPE_CHECKING:
    from everfit.evidence.judged_window import JudgedWindow

Verdict = Literal["ok", "alarm", "insufficient"]
Trigger = Literal["quarantine", "retraining", "nothing"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. ``statistic`` at or above ``threshold`` is an alarm; both are None where nothing could be measured.

    Any finite real number is taken for these two, such as numpy's. ``detail`` holds the numbers behind it, JSON-able. An alarm
    that triggers a quarantine names in ``detail["by_column"]`` what is not trained on: columns of the model, or ``*`` for the
    rows themselves, each with its reason. ``report`` is a page of HTML for a person; the lake keeps it.

    Raises:
        TypeError: for a statistic or threshold that is no number, a reason or report that is no text, or a detail that is no
            dict or that JSON cannot hold.
        ValueError: for an unknown verdict, a number that is not finite, or an empty reason.
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
        for name in ("statistic", "threshold"):
            force_setattr(self, name, _finite(name, getattr(self, name)))
        if not isinstance(self.reason, str) or not isinstance(self.report, str):
            raise TypeError(f"reason {self.reason!r}, report {self.report!r}: both are text")
        if not self.reason.strip():
            raise ValueError("evidence without a reason: say in a sentence what was measured")
        _check_detail(self.detail)


def _finite(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, Real):
        raise TypeError(f"{name} {value!r}: give a number, or None where nothing could be measured")
    if not math.isfinite(value):
        raise ValueError(f"{name} {value!r}: give a finite number, or None where nothing could be measured")
    return float(value)


def _check_detail(detail: Any) -> None:
    if not isinstance(detail, dict):
        raise TypeError(f"detail {detail!r}: give a dict")
    try:
        json.dumps(detail, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"detail {detail!r} is no JSON ({error}); give Python's own text, finite numbers, lists and dicts"
        ) from error


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
