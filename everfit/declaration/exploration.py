"""A random slice of what is asked, whose outcomes are seen whatever the model answers.

Where decisions by a model choose which outcomes are seen (of a loan that is refused nobody learns whether it would have been
repaid), a model that learns from what it has chosen to see confirms itself. Of a slice that chance has drawn, all outcomes are
seen, and the rest is counted by how probable it was to be seen (Horvitz and Thompson, 1952).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from everfit.declaration.part import Part, call_fault

if TYPE_CHECKING:
    from everfit.declaration.model import Model


class Exploration(Part):
    """A ``share`` of the values of ``unit``, drawn by a hash, is let through whatever the model answers.

    ``unit`` is a field of the request (by default the entity); one value of it is explored always or never, so it should have
    many. ``seen`` is a function of answers (float64[N], or [N, K]) to booleans[N]: whether the outcome is seen without being
    explored. Rows of which it says so train and are judged with the weight 1, explored ones otherwise with 1 / ``share``, and
    no others. Without it only explored rows are.
    """

    share: float
    unit: str = ""
    seen: Callable[[Any], Any] | None = None

    @field_validator("share")
    @classmethod
    def _share_is_one(cls, share: float) -> float:
        if not 0 < share < 1:
            raise ValueError(f"{share:g} is no share to explore; give one above 0 and below 1, such as 0.05")
        return share

    @field_validator("seen")
    @classmethod
    def _seen_takes_answers(cls, seen: Any) -> Any:
        if seen is not None and (fault := call_fault(seen, "answers")):
            raise ValueError(f"it cannot be called as seen(answers): {fault}")
        return seen


def exploration_fault(model: "Model") -> str:
    """Why the model's requests cannot be explored as declared, and what to do; empty where they can."""
    if model.exploration is None:
        return ""
    fields = {column.name: column for column in model.request}
    unit = model.exploration.unit or model.entity
    if unit not in fields:
        return f"unit {unit!r} is no request field; the request has {', '.join(fields)}"
    if fields[unit].nullable:
        return f"unit {unit!r} is nullable, and a request without it would never be explored; take a field that is always there"
    if model.batch is not None:
        return "a table that is scored daily has no client that would let explored rows through; declare exploration or batch"
    return ""
