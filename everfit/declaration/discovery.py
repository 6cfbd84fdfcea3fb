"""The declared models: those of every module of the package that ``EVERFIT_MODELS`` names."""

import ast
import importlib.util
import pkgutil
from collections.abc import Mapping
from importlib.abc import InspectLoader
from pathlib import Path
from types import ModuleType

from everfit.declaration import Model, Source
from everfit.declaration.recipe_imports import imported_in
from everfit.environment.project_folder import hidden_modules, put_behind
from everfit.environment.settings import models_package
from everfit.errors import DeclarationError, EverfitError, SourceError, UnknownModelError


class Catalogue(dict[str, Model]):
    """The declared models by name, sorted. ``broken`` maps each module that cannot be used to the reason."""

    def __init__(self, models: Mapping[str, Model], broken: Mapping[str, str]) -> None:
        super().__init__(sorted(models.items()))
        self.broken = dict(broken)


def load_models(package: str | None = None) -> Catalogue:
    """Import the package's modules and collect their models. A module that cannot be imported excludes only its own models.

    The working folder is put behind all others on the path: its modules are found, and hide none of everfit's.

    Raises:
        DeclarationError: when the package is missing, or no module of it holds a model that can be used.
    """
    name = package or models_package()
    put_behind(Path.cwd())
    declared: dict[str, list[tuple[str, Model]]] = {}
    broken: dict[str, str] = {}
    for info in pkgutil.iter_modules(_package(name).__path__):
        module = f"{name}.{info.name}"
        try:
            _require_unhidden(_imported_names(module))
            models = [value for value in vars(_imported(module)).values() if isinstance(value, Model)]
        except EverfitError as error:
            broken[module] = str(error)
            continue
        for model in models:
            declared.setdefault(model.name, []).append((module, model))
    usable: dict[str, Model] = {}
    for model_name, places in declared.items():
        if all(model is places[0][1] for _, model in places):
            usable[model_name] = places[0][1]
        else:
            modules = " and in ".join(sorted({module for module, _ in places}))
            broken |= dict.fromkeys(
                modules.split(" and in "), f"model {model_name!r} is declared twice, in {modules}; rename one"
            )
    if not usable:
        raise DeclarationError("\n".join(broken.values()) or f"package {name!r} declares no model; add a module with a Model")
    return Catalogue(usable, broken)


def _package(name: str) -> ModuleType:
    _require_unhidden({name.partition(".")[0]})
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


def _require_unhidden(names: set[str]) -> None:
    """Refuse names under which another module is imported than that of the working folder."""
    if hidden := hidden_modules(Path.cwd(), sorted(names)):
        raise DeclarationError(f"{', '.join(hidden.values())}; rename it, and what imports it")


def _imported_names(module: str) -> set[str]:
    """The top-level modules that a module imports; none where its text cannot be read: then its import fails."""
    spec = importlib.util.find_spec(module)
    try:
        source = spec.loader.get_source(module) if spec and isinstance(spec.loader, InspectLoader) else None
        return imported_in(ast.walk(ast.parse(source or "")))
    except (ImportError, SyntaxError):
        return set()


def _imported(name: str) -> ModuleType:
    """Import what a user wrote; whatever it raises is reported with its module."""
    try:
        return importlib.import_module(name)
    except EverfitError:
        raise
    except ModuleNotFoundError as error:
        raise DeclarationError(
            f"module {name} cannot be imported: {error}; install it for every process of everfit, or correct the name"
        ) from error
    except (Exception, SystemExit) as error:
        raise DeclarationError(f"module {name} cannot be imported: {type(error).__name__}: {error}") from error


def broken_modules(models: Mapping[str, Model]) -> Mapping[str, str]:
    """The modules that were excluded when these models were collected, and the reason of each."""
    return models.broken if isinstance(models, Catalogue) else {}


def find_model(models: Mapping[str, Model], name: str) -> Model:
    """The model of that name.

    Raises:
        UnknownModelError: when none is declared; the message lists those that are.
    """
    if name not in models:
        excluded = "".join(f"; set aside: {why}" for why in broken_modules(models).values())
        raise UnknownModelError(f"no model {name!r}; declared are {', '.join(models)}{excluded}")
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
