"""The fit of a user's module: made, looked at, trained; each mistake of its functions is a sentence."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from everfit.declaration.fit_context import FitContext
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.training.arrays import split
from everfit.training.checkpoint import checkpoint_of
from everfit.training.early_stopping import EarlyStopping
from everfit.training.epochs import Epochs
from everfit.training.fitted_module import PORTION_ROWS, FittedModule, form
from everfit.training.made_module import made_module, optimizer_of, taken
from everfit.training.module_inputs import ModuleEncoding
from everfit.training.module_losses import row_losses
from everfit.training.network import Scale, normalised, one_thread

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from everfit.training.module_losses import Loss
    from everfit.training.torch_recipe import Torch

logger = logging.getLogger(__name__)


def fit_module(recipe: "Torch", rows: "pl.DataFrame", context: FitContext) -> FittedModule:
    """As :meth:`everfit.training.torch_recipe.Torch.fit`."""
    import torch

    arrays = split(context.features, rows)
    encoding = ModuleEncoding.fit(context.features, arrays)
    loss, scale = _loss(recipe, context)
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(context.seed)
        module = made_module(recipe, encoding.sizes(math.prod(context.task.output.shape)))
        inputs = taken(recipe, module, encoding.tensors(arrays))
        fitted = FittedModule(recipe.name, context.task, encoding, module, scale, tuple(inputs))
        fitted.require_shape(inputs)
        _train(recipe, context, fitted, inputs, loss)
    return fitted


def _loss(recipe: "Torch", context: FitContext) -> "tuple[Loss, Scale]":
    """The loss of rows, and the scale on which it takes labels: one of the user's own takes them as they are."""
    import torch

    if recipe.loss is not None:
        return recipe.loss, Scale("")
    losses = row_losses(context.task)
    if context.task.loss not in losses:
        known = f"Torch knows {', '.join(losses)}, not {context.task.loss!r} of {type(context.task).__name__}"
        raise DeclarationError(f"recipe {recipe.name}: {known}; give it one of your own, loss=f, f(raw, labels)")
    return losses[context.task.loss], Scale.of(context.task.loss, torch.tensor(context.labels, dtype=torch.float32))


def _train(recipe: "Torch", context: FitContext, fitted: FittedModule, inputs: "Mapping[str, Tensor]", loss: "Loss") -> None:
    import torch

    device = _device(recipe)
    labels = fitted.scale.reduced(torch.tensor(context.labels, dtype=torch.float32))
    weights = None if context.weights is None else normalised(context.weights)[:, 0]
    checkpoint = checkpoint_of(recipe, context, [*inputs.values(), labels, weights])
    fitted.module.to(device).train()
    losses = _losses(fitted, inputs, labels, weights, loss, device)
    learnt = len(labels) - _tail_rows(recipe, len(labels))
    Epochs(
        module=fitted.module,
        optimizer=optimizer_of(recipe, fitted.module),
        loss_of=lambda rows: losses(rows).mean(),
        rows=learnt,
        epochs=recipe.epochs,
        batch_rows=recipe.batch_rows,
        least_rows=2,  # what is normalised over a batch needs two
        generator=torch.Generator().manual_seed(context.seed),
        schedule=recipe.schedule,
        stopping=_stopping(recipe, _mean_over(fitted, losses, learnt, len(labels))),
        checkpoint=checkpoint,
        checkpoint_seconds=recipe.checkpoint_seconds,
        report=_finite(recipe, context),
    ).run()
    fitted.module.cpu().eval()


def _losses(
    fitted: FittedModule, inputs: "Mapping[str, Tensor]", labels: "Tensor", weights: "Tensor | None", loss: "Loss", device: str
) -> "Callable[[Tensor], Tensor]":
    """The loss of each of rows int64[B], weighted."""
    import torch

    inputs = {name: values.to(device) for name, values in inputs.items()}
    labels, weights = labels.to(device), None if weights is None else weights.to(device)

    def of(rows: "Tensor") -> "Tensor":
        rows = rows.to(device)
        losses = loss(fitted.raw({name: values[rows] for name, values in inputs.items()}), labels[rows])
        if not torch.is_tensor(losses) or losses.shape != rows.shape:
            wanted = f"return the loss of each, float32[{len(rows)}], such as by reduction='none'"
            raise RecipeError(f"recipe {fitted.name}: loss returns {form(losses)} for {len(rows)} rows; {wanted}")
        return losses if weights is None else losses * weights[rows]

    return of


def _tail_rows(recipe: "Torch", rows: int) -> int:
    """How many of the newest rows are kept for early stopping."""
    if recipe.early_stopping is None:
        return 0
    tail = max(1, int(rows * recipe.tail))
    if tail >= rows:
        raise FeatureError(f"recipe {recipe.name}: {rows} row is too few to stop early by its newest; leave early_stopping out")
    return tail


def _stopping(recipe: "Torch", tail_loss: Callable[[], float]) -> EarlyStopping | None:
    return None if recipe.early_stopping is None else EarlyStopping(tail_loss, recipe.early_stopping)


def _mean_over(fitted: FittedModule, losses: "Callable[[Tensor], Tensor]", first: int, end: int) -> Callable[[], float]:
    """The mean loss of the rows from ``first`` to before ``end``, by the module as it answers."""
    import torch

    def mean() -> float:
        fitted.module.eval()
        with torch.no_grad():
            parts = [losses(rows).cpu() for rows in torch.arange(first, end).split(PORTION_ROWS)]  # type: ignore[no-untyped-call]
        fitted.module.train()
        return float(torch.cat(parts).mean())

    return mean


def _finite(recipe: "Torch", context: FitContext) -> Callable[..., None]:
    """The context's report, which refuses a loss that is no finite number."""

    def report(step: int, of: int, loss: float | None = None) -> None:
        if loss is not None and not math.isfinite(loss):
            raise RecipeError(
                f"recipe {recipe.name}: the loss is {loss} in step {step} of {of}; "
                f"lower learning_rate ({recipe.learning_rate:g}), "
                "or look for what overflows in the module or the loss"
            )
        context.report(step, of, loss)

    return report


def _device(recipe: "Torch") -> str:
    """The declared device where the machine has it, else the CPU."""
    import torch

    is_there: dict[str, Callable[[], Any]] = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if recipe.device == "cpu" or is_there[recipe.device]():
        return recipe.device
    logger.info("recipe %s: this machine has no %s; it is trained on the CPU", recipe.name, recipe.device)
    return "cpu"
