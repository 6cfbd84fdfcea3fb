"""A task of one's own that fails at a check: it is described, and what it checked is refused."""

from everfit.declaration.tasks import Task


def require_text(fault: object) -> str:
    """What ``label_fault`` or ``answer_fault`` returned.

    Raises:
        TypeError: when it is no text.
    """
    if not isinstance(fault, str):
        raise TypeError(f"it returns {fault!r}, no text")
    return fault


def failed_check(task: Task, value: str, error: Exception) -> str:
    """The sentence about a check that failed at ``value``, such as ``score 0.5 of electricity_price``."""
    return f"task {type(task).__name__} cannot check {value}: {type(error).__name__}: {error}; repair it"
