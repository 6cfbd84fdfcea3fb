"""A multilayer perceptron of PyTorch, as a recipe."""

from typing import TYPE_CHECKING, Annotated

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
    """

    name: Name = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1, le=4_096)], ...] = (64, 32)
    epochs: int = Field(20, ge=1, le=1_000)
    batch_rows: int = Field(512, ge=1)
    learning_rate: float = Field(2e-3, gt=0, le=1)
    weight_decay: float = Field(1e-3, ge=0)
    checkpoint_seconds: float | None = Field(None, ge=0, exclude=True)

    def fit(self, rows: "pl.DataFrame", context: FitContext) -> "FittedNetwork":
        """Fit by AdamW on mini-batches in an order drawn from the seed.

        Raises:
            DeclarationError: when it has no loss by the name of the task's.
        """
        import torch

        from everfit.training import network
        from everfit.training.arrays import split, with_components
        from everfit.training.checkpoint import checkpoint_of
        from everfit.training.encoding import Encoding
        from everfit.training.epochs import Epochs
        from everfit.training.losses import require_loss

        losses = network.losses()
        require_loss(self, context.task, losses)
        numbers, categories = with_components(split(context.features, rows))
        encoding = Encoding.fit(numbers, categories)
        inputs = torch.from_numpy(network.inputs_of(encoding, numbers, categories))
        labels = torch.from_numpy(context.labels).float()[:, None]
        generator = torch.Generator().manual_seed(context.seed)
        layers = network.perceptron([inputs.shape[1], *self.hidden, 1], generator)
        scale = network.Scale.of(context.task.loss, labels)
        reduced = scale.reduced(labels)
        weights = None if context.weights is None else network.normalised(context.weights)
        training = Epochs(
            module=layers,
            optimizer=torch.optim.AdamW(layers.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay),
            loss_of=network.mean_loss(losses[context.task.loss], layers, inputs, reduced, weights),
            rows=len(inputs),
            epochs=self.epochs,
            batch_rows=self.batch_rows,
            generator=generator,
            checkpoint=checkpoint_of(self, context, [inputs, reduced, weights]),
            checkpoint_seconds=self.checkpoint_seconds,
            report=context.report,
        )
        with network.one_thread():
            training.run()
            network.silence_constants(layers, inputs)
            scale.restore(layers)
        return network.FittedNetwork(context.features, context.task, encoding, layers)

    def inputs_fault(self, features: Features) -> str:
        """It takes no texts."""
        return texts_fault(self, features)
