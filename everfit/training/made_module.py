"""What a user's functions return for a module's training, looked at before it is used."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from everfit.errors import RecipeError
from everfit.training.module_inputs import MISSING, ModuleInputs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from everfit.training.torch_recipe import Torch


def made_module(recipe: "Torch", sizes: ModuleInputs) -> "nn.Module":
    """The module for inputs of these sizes.

    Raises:
        RecipeError: when there is none, or nothing in it to learn.
    """
    from torch import nn

    name = recipe.module.__name__
    try:
        module = recipe.module(sizes)
    except ImportError as error:
        raise RecipeError(
            f"recipe {recipe.name}: {name} cannot make its module: {error}; install it where trainings run"
        ) from error
    if not isinstance(module, nn.Module):
        got = f"the class {module.__name__}" if isinstance(module, type) else type(module).__name__
        raise RecipeError(f"recipe {recipe.name}: {name} returns {got}, no torch.nn.Module; return an object of one")
    if not any(weights.requires_grad for weights in module.parameters()):
        raise RecipeError(f"recipe {recipe.name}: {type(module).__name__} has no parameter to learn; give it layers")
    return module


def taken(recipe: "Torch", module: "nn.Module", inputs: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Those of the inputs that the module's ``forward`` takes.

    Raises:
        RecipeError: when it takes another, or leaves one out.
    """
    parameters = inspect.signature(module.forward).parameters.values()
    others = any(each.kind == each.VAR_KEYWORD for each in parameters)
    listed = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    named = {each.name for each in listed if each.kind != each.POSITIONAL_ONLY}
    required = [each.name for each in listed if each.default is each.empty]
    forward, given = f"recipe {recipe.name}: {type(module).__name__}.forward", ", ".join(inputs)
    if unknown := [name for name in required if name not in inputs or name not in named]:
        raise RecipeError(f"{forward} takes {', '.join(unknown)}; it is given {given}: name its parameters by these")
    if left := [name for name in inputs if name not in named and name != MISSING and not others]:
        raise RecipeError(f"{forward} does not take {', '.join(left)}; name what it uses of {given}, and add **others")
    return {name: values for name, values in inputs.items() if name in named or (others and name != MISSING)}


def optimizer_of(recipe: "Torch", module: "nn.Module") -> "torch.optim.Optimizer":
    """The declared optimizer of the module's parameters, AdamW where none is declared.

    Raises:
        RecipeError: when the recipe's function returns something else.
    """
    import torch

    if recipe.optimizer is None:
        return torch.optim.AdamW(module.parameters(), lr=recipe.learning_rate)
    made = recipe.optimizer(module.parameters(), recipe.learning_rate)
    if not isinstance(made, torch.optim.Optimizer):
        name = recipe.optimizer.__name__
        raise RecipeError(f"recipe {recipe.name}: {name} returns {type(made).__name__}, no torch.optim.Optimizer; return one")
    return made
