"""What is looked up for a model whose champion has the declared features."""

from everfit import Model
from everfit.features.definition import define
from everfit.serving.lookup import Reading


def declared_readings(model: Model) -> list[Reading]:
    """The views of a model as it declares them."""
    return [Reading(view, define(view, model.source(view.source)).version) for view in model.views]
