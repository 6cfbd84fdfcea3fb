"""The declared models as Dagster assets; a model whose assets Dagster refuses is left out, like one that cannot be imported."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import dagster as dg

from assets import model_assets, model_checks
from everfit.declaration import Model
from everfit.declaration.discovery import Catalogue, load_models
from everfit.errors import DeclarationError
from everfit.evidence.kinds import kinds

Assets = Sequence[dg.AssetsDefinition | dg.AssetSpec]


@dataclass(frozen=True, slots=True)
class Declared:
    """The usable models with their assets and checks."""

    models: Catalogue
    assets: Assets
    checks: Sequence[dg.AssetChecksDefinition]


@cache
def declared() -> Declared:
    """Everything in the models package, loaded once per process.

    Raises:
        DeclarationError: when no model can be used.
        SettingsError: when an installed kind of evidence cannot be used, which every model's windows are judged by.
    """
    kinds()
    loaded = load_models()
    usable: dict[str, Model] = {}
    broken = dict(loaded.broken)
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    checks: list[dg.AssetChecksDefinition] = []
    for name, model in loaded.items():
        try:
            made, checked = _shown(model)
        except Exception as error:  # noqa: BLE001 - a model's failure affects that model alone
            broken[name] = f"Dagster refuses its assets: {type(error).__name__}: {error}"
            continue
        usable[name] = model
        assets += made
        checks += checked
    if not usable:
        raise DeclarationError("\n".join(broken.values()))
    return Declared(Catalogue(usable, broken), assets, checks)


def _shown(model: Model) -> tuple[Assets, Sequence[dg.AssetChecksDefinition]]:
    assets = model_assets(model)
    keys = Counter(key for asset in assets for key in ([asset.key] if isinstance(asset, dg.AssetSpec) else asset.keys))
    if twice := [key.to_user_string() for key, count in keys.items() if count > 1]:
        raise DeclarationError(f"{', '.join(twice)} would exist twice; rename the source of that name")
    return assets, model_checks(model)
