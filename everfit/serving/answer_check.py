"""An answer of a version, checked by its model's task before it is given and logged."""

from typing import Any

from everfit.declaration import Model
from everfit.declaration.task_failure import failed_check, require_text
from everfit.errors import NotServableError


def answer_fields(model: Model, version: int, answer: Any, *, inputs: str = "") -> dict[str, Any]:
    """The answer to one row as the fields of a prediction; ``inputs`` describes the row in a message.

    Raises:
        NotServableError: when it is no answer of the task, or the task itself fails.
    """
    what = f"{model.name} version {version} answers {answer}{inputs and f' to {inputs}'}"
    try:
        fault = require_text(model.task.answer_fault(answer))
        fields = {} if fault else model.task.fields(answer)
    except Exception as error:  # a task may raise anything
        raise NotServableError(f"{what}, and {failed_check(model.task, 'it', error)}") from error
    if fault:
        raise NotServableError(f"{what}, no {fault}; `everfit promote {model.name} VERSION` makes another champion")
    return fields
