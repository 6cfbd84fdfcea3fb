"""A fitted recipe whose answers and export are checked: whatever a recipe returns, what goes on is of the task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from everfit.declaration.recipes import Fitted, Recipe
from everfit.declaration.task_failure import failed_check, require_text
from everfit.declaration.tasks import Task
from everfit.errors import RecipeError
from everfit.training.arrays import Floats

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class CheckedFit:
    """What a recipe's fit returned, as a Fitted of the task.

    ``notes`` say what was learnt otherwise than declared; ``parent`` is the version that the fit went on from, if any.
    """

    recipe: Recipe
    task: Task
    fitted: Fitted
    notes: Sequence[str] = ()
    parent: int | None = None

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers, float64[N] or of the task's shape, finite; the frame stays as it is.

        Raises:
            FeatureError: when a feature's column is missing or of a type that does not fit.
            RecipeError: when they are anything else; the message has the row and the value.
        """
        import numpy as np

        answers = self.fitted.predict(frame.clone())
        wanted = (frame.height, *self.task.output.shape)
        if not isinstance(answers, np.ndarray) or answers.dtype != np.float64 or answers.shape != wanted:
            raise self._error(f"predict returns {_form(answers)} for {frame.height} rows; return float64{list(wanted)}")
        if len(answers):
            self._require_valid(frame, answers)
        return answers

    def export(self) -> bytes:
        """What is registered and served: the graph, or a file of skops where the recipe says which types to trust.

        Raises:
            RecipeError: when it cannot be made, or would hold types that are not trusted.
        """
        trusted = self.recipe.trusted_types()
        if trusted is None:
            return self.to_onnx()
        from everfit.training.native_file import dumped

        return dumped(self.to_native(), trusted, self.recipe.name)

    def to_native(self) -> Any:
        """What answers in a process of its own.

        Raises:
            RecipeError: when it cannot predict.
        """
        native = self.fitted.to_native()  # type: ignore[attr-defined] # required by recipe_fit, of such a recipe
        if not callable(getattr(native, "predict", None)):
            raise self._error(f"to_native returns {_form(native)} without predict(frame); return an object that answers")
        return native

    def to_onnx(self) -> bytes:
        """The exported graph.

        Raises:
            RecipeError: when it is not given as bytes.
        """
        onnx = self.fitted.to_onnx()
        if not isinstance(onnx, bytes):
            raise self._error(f"to_onnx returns {_form(onnx)}; return the graph as bytes, such as model.SerializeToString()")
        return onnx

    def _require_valid(self, frame: "pl.DataFrame", answers: Floats) -> None:
        """Refuse an answer that is not finite, and the rows with the most extreme numbers where the task refuses them.

        Of several numbers a row, the extremes of their sums and of the steps between them are looked at, too.
        """
        import numpy as np

        by_row = answers.reshape(len(answers), -1)
        finite = np.isfinite(by_row).all(axis=1)
        if not finite.all():
            raise self._refused(frame, answers, int(finite.argmin()), "finite number")
        lows, highs, sums = by_row.min(axis=1), by_row.max(axis=1), by_row.sum(axis=1)
        steps = np.diff(by_row, axis=1).min(axis=1, initial=0.0)
        for row in map(int, (lows.argmin(), highs.argmax(), sums.argmin(), sums.argmax(), steps.argmin())):
            if fault := self._fault(answers[row].tolist()):
                raise self._refused(frame, answers, row, fault)

    def _fault(self, answer: Any) -> str:
        try:
            return require_text(self.task.answer_fault(answer))
        except Exception as error:  # a task may raise anything
            raise self._error(failed_check(self.task, f"answer {answer}", error)) from error

    def _refused(self, frame: "pl.DataFrame", answers: Floats, row: int, fault: str) -> RecipeError:
        values = frame.row(row, named=True)
        what = f"predict answers {answers[row].tolist()} in row {row} of {len(answers)}, no {fault}: {values}"
        return self._error(f"{what}; a recipe answers every row: look at this one, or at what makes its training diverge")

    def _error(self, what: str) -> RecipeError:
        return RecipeError(f"recipe {self.recipe.name}: {what}")


def _form(value: Any) -> str:
    """Type and shape of what was returned, for a message."""
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{getattr(value, 'dtype', type(value).__name__)}{list(shape)}"
