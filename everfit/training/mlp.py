"""A multilayer perceptron of PyTorch, as a recipe."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from everfit.declaration.fit_context import FitContext
from everfit.declaration.part import Name
from everfit.declaration.recipes import Recipe, texts_fault
from everfit.declaration.views import Features

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.network import FittedNetwork


class TorchMLP(Recipe):
    """A multilayer perceptron of PyTorch on standardised inputs, trained by AdamW.

    A training that is killed goes on at its last checkpoint: one after each epoch, or every ``checkpoint_seconds``.

    Attributes:
        early_stopping: after so many epochs without a better loss on the newest tenth of the rows no more are tried, and all
            rows are then learnt for the best number; None learns for ``epochs``.
        class_weight: ``"balanced"`` gives every class the same sum of weights; others are declared by ``Model(weights=…)``.
    """

    packages: ClassVar[tuple[str, ...]] = (
        "torch",
        "torch._dynamo",
        "everfit.training.network",
    )  # its optimizers import the second
    name: Name = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1, le=4_096)], ...] = (64, 32)
    epochs: int = Field(20, ge=1, le=1_000)
    batch_rows: int = Field(512, ge=1)
    learning_rate: float = Field(2e-3, gt=0, le=1)
    weight_decay: float = Field(1e-3, ge=0)
    early_stopping: int | None = Field(None, ge=1)
    class_weight: Literal["balanced"] | None = None
    checkpoint_seconds: float | None = Field(None, ge=0, exclude=True)

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedNetwork":
        """Fit by AdamW on mini-batches in an order drawn from the seed.

        Raises:
            DeclarationError: when it has no loss by the name of the task's, or a class weight does not suit the task.
            FeatureError: when a column is missing or of a wrong type, or there is one row alone to stop early by.
        """
        from everfit.training.perceptron_fit import fitted_perceptron

        return fitted_perceptron(self, rows, context)

    def inputs_fault(self, features: Features) -> str:
        """It takes no texts."""
        return texts_fault(self, features)
