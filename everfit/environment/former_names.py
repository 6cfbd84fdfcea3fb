"""Former names of what users import or type: each works for one more version, and a DeprecationWarning names the new one."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any

NAMES = {  # modules (with all that lies in them), and attributes after a colon
    "everfit.catalogue": "everfit.declaration.discovery",
    "everfit.declaration:Candidate": "everfit:Recipe",
    "everfit.declaration:GradientBoosting": "everfit:GradientBoosting",
    "everfit.declaration:TorchMLP": "everfit:TorchMLP",
    "everfit.deployment": "everfit.runtime",
    "everfit.deployment:Deployment": "everfit.runtime:Runtime",
    "everfit.embedded": "everfit.stack",
    "everfit.features:FeatureView": "everfit.declaration:FeatureView",
    "everfit.features:count": "everfit:count",
    "everfit.features:feature_view": "everfit:feature_view",
    "everfit.features:latest": "everfit:latest",
    "everfit.features:mean": "everfit:mean",
    "everfit.features:total": "everfit:total",
    "everfit.healthcheck": "everfit.stack.healthcheck",
    "everfit.policy:Decision": "everfit.declaration.retraining:Decision",
    "everfit.policy:Finding": "everfit.declaration.retraining:Finding",
    "everfit.policy:History": "everfit.declaration.retraining:History",
    "everfit.policy:PastRequest": "everfit.declaration.retraining:PastRequest",
    "everfit.policy:decide": "everfit.policy.decision:decide",
    "everfit.settings": "everfit.environment.settings",
    "everfit.store.publishing": "everfit.sources.publication",
    "monitors.drills.declared": "everfit.drills.models",
    "monitors.drills": "everfit.drills",
    "orchestration.watched": "orchestration.server_launcher",
}


def install() -> None:
    """Let imports of former modules lead to the new ones, in this process."""
    if not any(isinstance(finder, FormerModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, FormerModules())


def former_attribute(module: str, name: str) -> Any:
    """What was called ``name`` in ``module``; for the ``__getattr__`` of a module that has former names.

    Raises:
        AttributeError: when it never was.
    """
    new = NAMES.get(f"{module}:{name}")
    if new is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    warnings.warn(_message(f"{module}:{name}", new), DeprecationWarning, stacklevel=3)
    home, _, attribute = new.partition(":")
    return getattr(import_module(home), attribute)


def current_module(name: str) -> str | None:
    """The module that has taken the place of a former one, or nothing where the name is no former one."""
    for former, new in NAMES.items():
        if name == former or name.startswith(f"{former}."):
            return new + name.removeprefix(former)
    return None


class FormerModules(MetaPathFinder):
    """Finds a module under its former name."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - given by the import system
        target: ModuleType | None = None,  # noqa: ARG002 - likewise
    ) -> ModuleSpec | None:
        """A module of the former name whose attributes are those of the new one."""
        new = current_module(fullname)
        present = find_spec(new) if new else None
        if new is None or present is None:
            return None
        return ModuleSpec(fullname, _Former(new), is_package=present.submodule_search_locations is not None)


class _Former(Loader):
    def __init__(self, new: str) -> None:
        self.new = new

    def exec_module(self, module: ModuleType) -> None:
        former = module.__name__
        warnings.warn(_message(former, self.new), DeprecationWarning, stacklevel=2)
        present = import_module(self.new)

        def attribute(name: str) -> Any:
            return getattr(present, name) if hasattr(present, name) else former_attribute(former, name)

        own = {name: value for name, value in vars(present).items() if not name.startswith("__")}
        vars(module).update(own, __getattr__=attribute, __doc__=present.__doc__)
        if hasattr(present, "__path__"):
            module.__path__ = present.__path__

    def get_code(self, fullname: str) -> CodeType | None:
        """The program of ``python -m``, whose user is shown the warning."""
        warnings.warn_explicit(_message(fullname, self.new), DeprecationWarning, "python -m", 0, module="__main__")
        present = find_spec(self.new)
        return present.loader.get_code(self.new) if present and isinstance(present.loader, InspectLoader) else None


def _message(former: str, new: str) -> str:
    former, new = (name.replace(":", ".").removesuffix(".__main__") for name in (former, new))
    return f"{former} is now {new}; the former name goes with the next version"
