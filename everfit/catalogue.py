"""Find the declared models: every module of the package that ``EVERFIT_MODELS`` names."""

import importlib.util
import pkgutil
from collections.abc import Mapping
from types import ModuleType

from everfit.declaration import Model, Source
from everfit.errors import DeclarationError, EverfitError, SourceError, UnknownModelError
from everfit.settings import models_package


def load_models(package: str | None = None) -> dict[str, Model]:
    """Import the package's modules and collect their models by name, sorted.

    Raises:
        DeclarationError: when the package is missing, holds no model, declares a name twice or a model is malformed.
    """
    name = package or models_package()
    found: dict[str, Model] = {}
    for info in pkgutil.iter_modules(_package(name).__path__):
        module = _imported(f"{name}.{info.name}")
        for model in vars(module).values():
            if isinstance(model, Model):
                if model.name in found and found[model.name] is not model:
                    raise DeclarationError(f"model {model.name!r} is declared twice in {name}; rename one")
                found[model.name] = model
    if not found:
        raise DeclarationError(f"package {name!r} declares no model; add a module with a Model")
    return dict(sorted(found.items()))


def _package(name: str) -> ModuleType:
    try:
        if importlib.util.find_spec(name) is None:
            raise DeclarationError(
                f"no package {name!r} to import models from; set EVERFIT_MODELS, or go to the folder it is in"
            )
    except ModuleNotFoundError as error:
        raise DeclarationError(f"no package {name!r} to import models from ({error}); set EVERFIT_MODELS") from error
    package = _imported(name)
    if not hasattr(package, "__path__"):
        raise DeclarationError(f"{name!r} is a module, not a package; name the folder that it is in in EVERFIT_MODELS")
    return package


def _imported(name: str) -> ModuleType:
    """Import what a user wrote: whatever it raises is told with its module."""
    try:
        return importlib.import_module(name)
    except EverfitError:
        raise
    except (Exception, SystemExit) as error:
        raise DeclarationError(f"module {name} cannot be imported: {type(error).__name__}: {error}") from error


def find_model(models: Mapping[str, Model], name: str) -> Model:
    """The model of that name.

    Raises:
        UnknownModelError: when none is declared; the message lists those that are.
    """
    if name not in models:
        raise UnknownModelError(f"no model {name!r}; declared are {', '.join(models)}")
    return models[name]


def find_source(models: Mapping[str, Model], name: str) -> Source:
    """The source of that name, which any of the models may declare.

    Raises:
        SourceError: when none is declared; the message lists those that are.
        DeclarationError: when two models declare it in two ways.
    """
    sources = {source.name: source for model in models.values() for source in model.sources}
    if name not in sources:
        raise SourceError(f"no source {name!r}; declared are {', '.join(sorted(sources))}")
    for model in models.values():
        for source in model.sources:
            if source.name == name and source != sources[name]:
                raise DeclarationError(
                    f"source {name!r} is declared in two ways, one of them by {model.name}; share one Source"
                )
    return sources[name]
