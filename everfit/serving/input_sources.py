"""The source of each input of a version: a field of the request, or a version of a view.

The inputs are those of the version's signature, by name and kind, whatever is declared now. Views are read as they are declared
once they are built; a champion of an older schema uses the versions of views that were declared with it, or the present version
where it defines the feature alike. An input without a source is null, and the answer degraded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from everfit.declaration import Model
from everfit.declaration.values import Value
from everfit.declaration.views import FeatureView, Kind
from everfit.features.definition import Definition, alike, define
from everfit.serving.lookup import Reading
from everfit.store.schemas import Use
from everfit.store.view_versions import ViewVersion
from everfit.training.artifact import Signature


class Registered(NamedTuple):
    """The versions of views by name, and those that each model declared, newest declaration first."""

    versions: Mapping[tuple[str, str], ViewVersion]
    uses: Mapping[str, Sequence[Use]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a version: ``fields`` of the request, and ``readings`` of views.

    ``degraded`` is True where an input has no source, or another definition is used in place of its own.
    """

    signature: Signature
    fields: frozenset[str]
    readings: Sequence[Reading]
    degraded: bool

    def values(self, row: Mapping[str, Value], looked_up: Mapping[str, Value]) -> dict[str, Value]:
        """The inputs in the signature's order, from a request's fields and the values of the readings."""
        return {name: row[name] if name in self.fields else looked_up.get(name) for name, _ in self.signature.features}


class _Choice(NamedTuple):
    """The version of a view that a feature is read from, and whether it is a substitute."""

    definition: Definition
    stands_in: bool = False


def inputs_of(model: Model, signature: Signature, registered: Registered) -> Inputs:
    """The sources of the inputs of a version with this signature, by what is registered now."""
    chooser = _Chooser(model, signature, registered)
    fields, chosen, missing = set(), dict[tuple[str, str], tuple[_Choice, list[str]]](), False
    for name, kind in signature.features:
        if chooser.is_field(name, kind):
            fields.add(name)
            continue
        choice = chooser.choose(name, kind)
        if choice is None:
            missing = True
        else:
            chosen.setdefault(choice.definition.name, (choice, []))[1].append(name)
    defaults = {view.name: view.default for view in model.views}
    readings = [
        Reading(_with(version.definition.as_view(), defaults), version.definition.version, tuple(names))
        for version, names in chosen.values()
    ]
    return Inputs(signature, frozenset(fields), readings, missing or any(version.stands_in for version, _ in chosen.values()))


def _with(view: FeatureView, defaults: Mapping[str, Mapping[str, Value]]) -> FeatureView:
    """A version of a view with the defaults that are declared for it now."""
    declared = defaults.get(view.name, {})
    return replace(view, default={name: value for name, value in declared.items() if name in view.features})


class _Chooser:
    """Chooses the versions of views for one signature."""

    def __init__(self, model: Model, signature: Signature, registered: Registered) -> None:
        self._wanted = signature.features
        self._is_declared = signature.schema == model.schema_id
        self._request = {column.name: column.input_kind for column in model.request}
        self._declared = [define(view, model.source(view.source)) for view in model.views]
        self._versions = registered.versions
        used = registered.uses.get(model.name, ())
        self._used = [(view, version) for _, view, version in used]
        self._own = [(view, version) for schema, view, version in used if schema == signature.schema]

    def is_field(self, name: str, kind: Kind) -> bool:
        """Whether the request has the input; a field does not replace a view's feature of the same name."""
        return self._request.get(name) == kind and (self._is_declared or not any(self._having(self._own, name, kind)))

    def choose(self, name: str, kind: Kind) -> _Choice | None:
        """The version of a view that the feature is read from; None where there is none."""
        declared = next((version for version in self._declared if version.has(name, kind)), None)
        if self._is_declared:
            return None if declared is None else self._of_declared(declared)
        return self._of_older(name, kind, declared)

    def _of_declared(self, declared: Definition) -> _Choice:
        """The declared version; until it is built, the newest built version with the same features."""
        if self._state(declared) in ("built", "stale"):
            return _Choice(declared)
        needed = [(name, kind) for name, kind in self._wanted if declared.has(name, kind)]
        for older in self._known(view for view in self._used if view[0] == declared.view):
            if self._state(older) == "built" and older.key in self._request and all(older.has(*feature) for feature in needed):
                return _Choice(older, stands_in=not all(alike(older, declared, name) for name, _ in needed))
        return _Choice(declared)

    def _of_older(self, name: str, kind: Kind, declared: Definition | None) -> _Choice | None:
        """The version that was declared with this schema, or the present version where it defines the feature alike."""
        if not self._own:  # from before uses were recorded: only the name is known
            return None if declared is None else _Choice(declared, stands_in=True)
        own = [version for version in self._having(self._own, name, kind) if version.key in self._request]
        same = declared if declared is not None and own and alike(own[0], declared, name) else None
        if same is not None and self._state(same) == "built":
            return _Choice(same)
        kept = sorted(
            (version for version in own if self._state(version) in ("built", "stale")),
            key=lambda version: self._state(version) == "stale",
        )
        best = next(iter(kept), same)
        return None if best is None else _Choice(best)

    def _having(self, names: Sequence[tuple[str, str]], name: str, kind: Kind) -> Iterator[Definition]:
        return (version for version in self._known(iter(names)) if version.has(name, kind))

    def _known(self, names: Iterator[tuple[str, str]]) -> Iterator[Definition]:
        return (self._versions[name].definition for name in names if name in self._versions)

    def _state(self, definition: Definition) -> str:
        version = self._versions.get(definition.name)
        return "unknown" if version is None else version.state
