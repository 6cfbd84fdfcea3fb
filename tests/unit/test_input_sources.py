"""Where the inputs of a version are taken from, for every order of declarations: by name and kind, never by position."""

from collections.abc import Mapping

import pytest

from everfit import Category, Model, Number, latest, mean, total
from everfit.declaration.views import FeatureView
from everfit.features.definition import Definition, define
from everfit.serving.input_sources import Registered, inputs_of
from everfit.store.view_versions import State, ViewVersion
from everfit.training.artifact import Signature
from tests.pumps import COLUMNS, in_fahrenheit, pumps, view_of

BOTH = latest("vibration", "temperature")
NAMES = {"pump": "p1"}


def signature(model: Model) -> Signature:
    """What a version trained by this declaration is asked."""
    return Signature.of(model)


def definition(model: Model, number: int = 0) -> Definition:
    """Of one of its views."""
    view: FeatureView = model.views[number]
    return define(view, model.source(view.source))


def registered(*declared: Model, states: Mapping[str, State] | None = None) -> Registered:
    """Declared in this order, all of them built where nothing else is said of a version."""
    definitions = {definition(model).name: definition(model) for model in declared}
    versions = {
        name: ViewVersion(name, one, (states or {}).get(name[1], "built"), None, False, 0, 0, None)
        for name, one in definitions.items()
    }
    uses = [(model.schema_id, *definition(model).name) for model in reversed(declared)]
    return Registered(versions, {"pumps": uses})


def read(now: Model, of: Model, known: Registered) -> tuple[dict[str, str], bool]:
    """The version that each feature of a version trained by ``of`` is read from while ``now`` is declared, and if degraded."""
    inputs = inputs_of(now, signature(of), known)
    return {name: one.version for one in inputs.readings for name in one.features}, inputs.degraded


OLD = pumps(view_of(BOTH))
CHANGES = {
    "an added feature": (pumps(view_of(latest("vibration"))), OLD, "new"),
    "a removed feature": (OLD, pumps(view_of(latest("vibration"))), "both"),
    "a reordered view": (OLD, pumps(view_of(latest("temperature", "vibration"))), "new"),
    "another resolution": (
        pumps(view_of({"shaken": total("vibration", over="1h")})),
        pumps(view_of({"shaken": total("vibration", over="1h", resolution=1e-3), **latest("temperature")})),
        "old",
    ),
    "another statistic": (
        pumps(view_of(latest("vibration"))),
        pumps(view_of({"vibration": mean("vibration", over="1h"), **latest("temperature")})),
        "old",
    ),
    "another function": (pumps(view_of(latest("temperature"))), pumps(view_of(BOTH, in_fahrenheit)), "old"),
    "a wider source": (
        pumps(view_of(latest("vibration"))),
        pumps(view_of(BOTH), columns=[*COLUMNS, Number("pressure", nullable=True)]),
        "new",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_older_champion_reads_what_it_was_trained_on(change: str) -> None:
    old, new, version = CHANGES[change]
    names = {"old": definition(old).version, "new": definition(new).version}
    taken, degraded = read(new, old, registered(old, new))
    assert not degraded
    assert taken.keys() == {name for name, _ in old.features} - {"pump"}
    if version == "both":
        assert taken == {"vibration": names["new"], "temperature": names["old"]}
    else:
        assert set(taken.values()) == {names[version]}
    assert read(new, new, registered(old, new)) == ({name: names["new"] for name, _ in new.features if name != "pump"}, False)


def test_until_a_version_is_built_an_older_one_answers_and_says_so_where_it_means_another_thing() -> None:
    latest_one, reordered, averaged = (
        OLD,
        pumps(view_of(latest("temperature", "vibration"))),
        pumps(view_of(BOTH, in_fahrenheit)),
    )
    for new, degraded in ((reordered, False), (averaged, True)):
        known = registered(latest_one, new, states={definition(new).version: "building"})
        taken, stands_in = read(new, new, known)
        assert (set(taken.values()), stands_in) == ({definition(latest_one).version}, degraded)


def test_a_stale_version_is_read_on_and_no_older_meaning_takes_its_place() -> None:
    new = pumps(view_of(BOTH, in_fahrenheit))
    known = registered(OLD, new, states={definition(new).version: "stale"})
    assert set(read(new, new, known)[0].values()) == {definition(new).version}


def test_what_cannot_be_had_is_null_and_said() -> None:
    old = pumps(view_of(BOTH), request=[Category("pump"), Number("load")])
    new = pumps(view_of(latest("vibration"), name="other_view"))
    known = registered(old, new)
    without = Registered({name: one for name, one in known.versions.items() if name[0] == "other_view"}, known.uses)
    inputs = inputs_of(new, signature(old), without)
    assert inputs.degraded
    assert inputs.values(NAMES, {}) == {"pump": "p1", "load": None, "vibration": None, "temperature": None}


def test_a_feature_of_a_view_is_no_field_of_its_name_and_the_other_way_round() -> None:
    fields = [Category("pump"), Number("vibration"), Number("load")]
    of_view, of_request = OLD, pumps(view_of(latest("temperature")), request=fields)
    known = registered(of_view, of_request)
    looked_up = inputs_of(of_request, signature(of_view), known)
    assert looked_up.fields == {"pump"}
    assert {name for one in looked_up.readings for name in one.features} == {"vibration", "temperature"}
    answered = inputs_of(of_view, signature(of_request), known)
    assert answered.degraded
    assert answered.fields == {"pump"}
    values = answered.values({"pump": "p1"}, {"temperature": 3.0})
    assert values == {"pump": "p1", "vibration": None, "load": None, "temperature": 3.0}


def test_of_a_schema_of_which_nothing_was_written_down_names_are_taken_and_the_answer_is_degraded() -> None:
    new = pumps(view_of(BOTH))
    old = pumps(view_of(latest("temperature", "vibration")))
    taken, degraded = read(new, old, registered(new))
    assert (set(taken), degraded) == ({"vibration", "temperature"}, True)


def test_another_kind_is_another_feature() -> None:
    old = pumps(view_of(BOTH), request=[Category("pump"), Category("load")])
    new = pumps(view_of(BOTH), request=[Category("pump"), Number("load")])
    inputs = inputs_of(new, signature(old), registered(old, new))
    assert inputs.degraded
    assert inputs.fields == {"pump"}
