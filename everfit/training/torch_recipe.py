"""Any module of PyTorch, as a recipe."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_serializer, field_validator

from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe, texts_fault
from everfit.declaration.views import Features
from everfit.training.user_functions import recorded, require_function

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.fitted_module import FittedModule

ARGUMENTS = {
    "module": ("inputs",),
    "loss": ("raw", "labels"),
    "optimizer": ("parameters", "learning_rate"),
    "schedule": ("done",),
}


class Torch(Recipe):
    """``Torch("name", module)``: a function ``module(inputs)`` makes the ``torch.nn.Module`` that is trained.

    It is given the sizes of the inputs, :class:`everfit.training.module_inputs.ModuleInputs`; the module's ``forward`` takes
    them by their names. A training that is killed goes on at its last checkpoint.

    Attributes:
        loss: ``loss(raw, labels)``, the loss of each row; by default the task's, of labels on the scale of their deviation.
        optimizer: ``optimizer(parameters, learning_rate)``; by default AdamW.
        schedule: ``schedule(done)``, of the share of steps that are done, what the learning rate is multiplied by.
        early_stopping: after so many epochs without a better loss on the newest rows, a share of ``tail``, the best weights are
            taken; None learns from all rows to the end.
        device: where it is trained; the CPU where the machine has no such device.
        checkpoint_seconds: at least so long between two checkpoints; None for one after each epoch.
    """

    packages: ClassVar[tuple[str, ...]] = ("torch", "torch._dynamo", "everfit.training.module_fit")

    module: Any
    loss: Any = None
    optimizer: Any = None
    schedule: Any = None
    epochs: int = Field(20, ge=1, le=10_000)
    batch_rows: int = Field(512, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=10)
    early_stopping: int | None = Field(None, ge=1)
    tail: float = Field(0.1, gt=0, lt=1)
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    checkpoint_seconds: float | None = Field(None, ge=0, exclude=True)

    def __init__(self, name: str, module: Any, **fields: Any) -> None:
        super().__init__(**{"name": name, "module": module, **fields})

    @field_validator(*ARGUMENTS)
    @classmethod
    def _can_be_called(cls, function: Any, info: Any) -> Any:
        if function is None and info.field_name != "module":
            return function
        return require_function(function, info.field_name, ARGUMENTS[info.field_name])

    @field_serializer(*ARGUMENTS)
    def _recorded(self, function: Callable[..., Any] | None) -> str | None:
        return recorded(function)

    def inputs_fault(self, features: Features) -> str:
        """It takes no texts."""
        return texts_fault(self, features)

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedModule":
        """Train a new module.

        Raises:
            DeclarationError: when the task has a loss that is not known here, and none of one's own is given.
            FeatureError: when a column is missing or of a wrong type, or there are too few rows to stop early by.
            RecipeError: when a function returns what cannot be trained; the message has what, and the way out.
        """
        from everfit.training.module_fit import fit_module

        return fit_module(self, rows, context)
