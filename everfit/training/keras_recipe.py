"""Any model of Keras 3, as a recipe; the extra ``keras`` installs it."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_serializer, field_validator

from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe, texts_fault
from everfit.declaration.views import Features
from everfit.training.user_functions import recorded, require_function

if TYPE_CHECKING:
    import polars as pl

    from everfit.training.fitted_keras import FittedKeras

ARGUMENTS = {"build": ("inputs",), "loss": ("raw", "labels"), "optimizer": ("learning_rate",)}
BACKEND = "KERAS_BACKEND"


class Keras(Recipe):
    """``Keras("name", build)``: a function ``build(inputs)`` makes the ``keras.Model`` that is trained.

    It is given the sizes of the inputs, :class:`everfit.training.module_inputs.ModuleInputs`; each ``keras.Input`` of the model
    has the name of the input that it takes. It returns raw values. Keras runs on PyTorch, or on what ``KERAS_BACKEND`` names.

    Attributes:
        loss: ``loss(raw, labels)``, the loss of each row; by default the task's, of labels on the scale of their deviation.
        optimizer: ``optimizer(learning_rate)``, an optimizer of Keras; by default AdamW.
    """

    build: Any
    loss: Any = None
    optimizer: Any = None
    epochs: int = Field(20, ge=1, le=10_000)
    batch_rows: int = Field(512, ge=1)
    learning_rate: float = Field(1e-3, gt=0, le=10)

    def __init__(self, name: str, build: Any, **fields: Any) -> None:
        super().__init__(**{"name": name, "build": build, **fields})

    @field_validator(*ARGUMENTS)
    @classmethod
    def _can_be_called(cls, function: Any, info: Any) -> Any:
        if function is None and info.field_name != "build":
            return function
        return require_function(function, info.field_name, ARGUMENTS[info.field_name])

    @field_serializer(*ARGUMENTS)
    def _recorded(self, function: Callable[..., Any] | None) -> str | None:
        return recorded(function)

    def parameters(self) -> dict[str, Any]:
        """The values of all fields, and what Keras runs on."""
        return super().parameters() | {"backend": os.environ.get(BACKEND, "torch")}

    def inputs_fault(self, features: Features) -> str:
        """It takes no texts."""
        return texts_fault(self, features)

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedKeras":
        """Train a new model.

        Raises:
            DeclarationError: when the task has a loss that is not known here, and none of one's own is given.
            FeatureError: when a column is missing or of a wrong type.
            RecipeError: when Keras is not there, or a function returns what cannot be trained; the message has the way out.
        """
        from everfit.training.keras_fit import fit_keras

        return fit_keras(self, rows, context)
