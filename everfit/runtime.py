"""The parts of one deployment, each built when it is first used: engine, lake, registry, declared models."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from everfit.environment.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from everfit.declaration import Model
    from everfit.registry import Registry
    from everfit.store.lake import Lake


class Runtime:
    """What a process of everfit works with; :meth:`close` gives the connections back."""

    def __init__(self, settings: Settings, models: "Mapping[str, Model] | None" = None) -> None:
        self.settings = settings
        self._models = models

    @classmethod
    def load(cls) -> "Runtime":
        """The deployment that the environment, or the running embedded stack, describes."""
        return cls(Settings.load())

    @cached_property
    def engine(self) -> "sa.Engine":
        """Connections to the everfit database."""
        from everfit.store.database import create_engine

        return create_engine(self.settings.database_url)

    @cached_property
    def lake(self) -> "Lake":
        """The content-addressed objects."""
        from everfit.store.lake import Lake

        return Lake(self.settings.lake)

    @cached_property
    def registry(self) -> "Registry":
        """MLflow and the ledger."""
        from everfit.registry import Registry

        return Registry(self.settings.mlflow, self.engine)

    @cached_property
    def models(self) -> "Mapping[str, Model]":
        """The models by name: those that were given, or all that are declared."""
        from everfit.declaration.discovery import load_models

        return load_models(self.settings.models) if self._models is None else self._models

    def close(self) -> None:
        """Give back what was opened."""
        if "engine" in self.__dict__:
            self.engine.dispose()
