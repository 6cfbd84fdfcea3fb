"""A malformed declaration is refused at construction, by an error that names the field and the value."""

import importlib.util
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from everfit import (
    ABTest,
    Approval,
    BinaryClassification,
    Canary,
    Category,
    DriftPolicy,
    Gate,
    GradientBoosting,
    Guard,
    Integer,
    Limits,
    Model,
    Number,
    Question,
    Shadow,
    Source,
    Straight,
    Time,
    TorchMLP,
    TrainingWindow,
    feature_view,
    latest,
)
from everfit.declaration import FeatureView
from everfit.declaration.discovery import find_model, load_models
from everfit.declaration.feature_changes import feature_changes
from everfit.declaration.part import Part
from everfit.declaration.retraining import cause_fault
from everfit.declaration.rollouts import Stage, stages_of
from everfit.environment.project_folder import hidden_modules, put_behind
from everfit.errors import DeclarationError, UnknownModelError
from everfit.policy.on_drift import OnDrift
from models.electricity_price import electricity_price

MISSPELT = {"fold": 3}
FORMER: dict[str, Any] = {"metric": "brier"}
CERTAIN: dict[str, Any] = {"confidence": 0.9}


def changed(**fields: Any) -> Model:
    """The electricity model, constructed anew with other fields."""
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    return Model(**declared | fields)


@feature_view(key="region", known_at="period_end", features=latest("price"))
def of_unheard_source(unheard_of: Any) -> Any:
    return unheard_of


@feature_view(key="unheard_of", known_at="period_end", features=latest("other"))
def of_unheard_key(half_hours: Any) -> Any:
    return half_hours


def market_now(half_hours: Any) -> Any:
    return half_hours


def named(name: str) -> dict[str, Any]:
    """The newest price, as a feature of that name."""
    return {name: latest("price")["price"]}


def namesake() -> FeatureView:
    """A view with the name of one of the model's, which takes something else."""
    assert "market_now" in [view.name for view in electricity_price.views]
    return feature_view(key="region", known_at="period_end", features=named("another"))(market_now)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: Gate(**MISSPELT), "Gate: fold: Extra inputs are not permitted, got 3"),
        (lambda: Gate(**FORMER), "the metric is the model's; write Model(metric='brier')"),
        (lambda: Gate(folds=0), "Gate: folds: Input should be greater than or equal to 1, got 0"),
        (lambda: Gate(folds=53), "less than or equal to 52"),
        (
            lambda: Gate(**CERTAIN),
            "confidence=0.9: how sure a comparison must be follows from wrong_promotions",
        ),
        (lambda: Gate(margin=-0.1), "-0.1: a margin is 0 or more"),
        (lambda: Gate(margin=math.inf), "inf: a margin is 0 or more, and finite"),
        (lambda: Gate(margin=math.nan), "nan: a margin is 0 or more, and finite"),
        (lambda: Gate(margin="10 %"), "'10 %' is no margin; give a number in the metric's units, or '10 % of a week's spread'"),
        (lambda: Gate(wrong_promotions_per_year=0), "wrong_promotions_per_year"),
        (
            lambda: Gate(by_cause={"drift": Gate()}),
            "drift: a cause changes prove and margin alone; write Question(",
        ),
        (lambda: Gate(backtest="a month"), "Gate: backtest: 'a month' is no duration"),
        (lambda: Gate(max_latency_ms=0), "max_latency_ms"),
        (lambda: DriftPolicy(agree=3, of=2), "more windows cannot agree"),
        (lambda: DriftPolicy(window="30m"), "shorter than an hour"),
        (lambda: DriftPolicy(false_alarms_per_year=0), "false_alarms_per_year"),
        (lambda: Limits(attempts=11), "attempts"),
        (lambda: Limits(cooldown=7), "cooldown: 7 is no duration"),
        (lambda: TrainingWindow(history="some"), "history"),
        (lambda: GradientBoosting(leaves=1), "leaves"),
        (lambda: TorchMLP(hidden=(64, 0)), "hidden.1"),
        (lambda: Category("Region"), "name: String should match pattern"),
        (lambda: Integer("hour", between=(0, 23.5)), "between"),
        (
            lambda: Source(name="s", columns=[Time("t")], identity=["u"], event_time="t"),
            "'u' is no column of source s; it has t",
        ),
        (
            lambda: Source(name="s", columns=[Time("t"), Number("n")], identity=["t"], event_time="n"),
            "event_time 'n' is no time of source s; it has t",
        ),
        (lambda: changed(event_time="no_such_column"), "event_time 'no_such_column' is no time column of a source"),
        (lambda: Source(name="s", columns=[Time("t"), Number("t")], identity=["t"], event_time="t"), "t declared twice"),
        (lambda: changed(entity="price"), "entity 'price' is no request field; the request has region, half_hour, weekday"),
        (lambda: changed(go_live="soon"), "go_live: 'soon' is no time"),
        (lambda: changed(go_live=datetime(1996, 9, 4)), "no time zone"),  # noqa: DTZ001 - that is what is refused
        (lambda: changed(request=[Category("region"), Time("when")]), "a request's only time is event_time"),
        (lambda: changed(views=[of_unheard_source]), "reads 'unheard_of'; the sources are half_hours"),
        (lambda: changed(views=[of_unheard_key]), "keyed by 'unheard_of'"),
        (lambda: changed(history=lambda unheard_of: unheard_of), "history reads 'unheard_of'"),
        (lambda: changed(gate=Gate(slices=["mood"])), "gate.slices names 'mood'"),
        (
            lambda: changed(gate=Gate(by_cause={"drfit": Question(prove="better")})),
            "gate.by_cause: nothing causes a retraining by the name 'drfit'; the causes are drift, performance, freshness, ",
        ),
        (lambda: Gate(slice_margin=math.inf), "slice_margin: Input should be a finite number"),
        (lambda: changed(candidates=[]), "candidates"),
        (
            lambda: changed(task=BinaryClassification(label="event_time")),
            "the label is called 'event_time', as a time that history",
        ),
        (lambda: changed(task="up"), "Model electricity_price: task: Input should be an instance of Task, got 'up'"),
        (lambda: changed(task={"label": "up"}), "task: Input should be an instance of Task"),
        (lambda: changed(candidates=[GradientBoosting(), GradientBoosting()]), "gradient_boosting declared twice"),
        (lambda: changed(views=electricity_price.views * 2), "declared twice"),
        (lambda: changed(views=[*electricity_price.views, namesake()]), "views: market_now declared twice"),
        (
            lambda: feature_view(key="region", known_at="t", features=named("_score"))(market_now),
            "feature '_score' needs a name",
        ),
        (lambda: feature_view(key="region", known_at="t", features=named("*"))(market_now), "feature '*' needs a name"),
        (lambda: feature_view(key="region", known_at="t", features=named("^a$"))(market_now), "feature '^a$' needs a name"),
        (lambda: changed(colour="red"), "Model electricity_price: colour: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_is_refused_by_name(build: Callable[[], object], told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        build()
    assert told in str(refused.value)


def test_a_declaration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(electricity_price, "name", "other")  # noqa: B010 - a type checker refuses the plain form


def test_windows_are_half_open_and_anchored_at_the_go_live() -> None:
    go_live = datetime(1996, 9, 4, tzinfo=UTC)
    assert electricity_price.windows.around(go_live) == (go_live, go_live + timedelta(days=7))
    assert electricity_price.windows.around(go_live + timedelta(days=7))[0] == go_live + timedelta(days=7)
    assert electricity_price.windows.around(go_live - timedelta(microseconds=1))[1] == go_live


def test_the_schema_changes_with_names_and_kinds_only() -> None:
    assert changed(description="other").schema_id == electricity_price.schema_id
    assert changed(views=electricity_price.views[:1], gate=Gate()).schema_id != electricity_price.schema_id


def test_models_are_found_in_the_package_that_is_named() -> None:
    assert list(load_models("models")) == ["electricity_price", "flight_delay", "traffic_volume", "traffic_weather"]


def test_an_unknown_model_is_told_with_those_that_are_declared() -> None:
    match = "no model 'other'; declared are electricity_price, flight_delay, traffic_volume, traffic_weather"
    with pytest.raises(UnknownModelError, match=match):
        find_model(load_models("models"), "other")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "declares no model"),
        ("from everfit import Gate\nGate(folds=0)\n", "Gate: folds"),
        ("import not_there\n", "not_there"),
        ("1 +\n", "invalid syntax"),
        ("{}['key']\n", "module cannot be imported: KeyError: 'key'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_package_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    package = tmp_path / f"declared_{abs(hash(text))}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeclarationError, match=told):
        load_models(package.name)


DECLARED = "from models.electricity_price import electricity_price as e\nmade = e.model_copy(update={{'name': '{}'}})\n"


def test_a_module_that_cannot_be_used_sets_aside_its_own_models_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_declared"
    package.mkdir()
    modules = {
        "__init__": "",
        "a": DECLARED.format("pump"),
        "b": "import not_there\n",
        "c": DECLARED.format("fan"),
        "d": DECLARED.format("fan"),
        "e": "from some_declared.a import made\n",
    }
    for name, text in modules.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = load_models("some_declared")
    assert {"pump"} <= set(catalogue) <= {"pump", "electricity_price"}
    assert catalogue.broken == {
        "some_declared.b": "module some_declared.b cannot be imported: No module named 'not_there'; install it for every "
        "process of everfit, or correct the name",
        "some_declared.c": "model 'fan' is declared twice, in some_declared.c and in some_declared.d; rename one",
        "some_declared.d": "model 'fan' is declared twice, in some_declared.c and in some_declared.d; rename one",
    }
    with pytest.raises(UnknownModelError, match=r"no model 'fan'; declared are .*; set aside: module some_declared.b cannot"):
        find_model(catalogue, "fan")


def test_two_models_of_one_name_in_one_module_set_aside_neither_its_others_nor_those_of_other_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "twice_declared"
    package.mkdir()
    (package / "__init__.py").touch()
    twin = "twin = e.model_copy(update={'name': 'fan', 'owners': ['team:b']})\nother = e.model_copy(update={'name': 'other'})\n"
    (package / "a.py").write_text(DECLARED.format("fan") + twin)
    (package / "b.py").write_text(DECLARED.format("pump"))
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = load_models("twice_declared")
    assert {"other", "pump"} <= set(catalogue) <= {"other", "pump", "electricity_price"}
    assert catalogue.broken == {"twice_declared.a": "model 'fan' is declared twice, in twice_declared.a; rename one"}


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ([("b", "number"), ("a", "number")], ""),
        ([("a", "number")], "less b"),
        ([("a", "number"), ("b", "number"), ("c", "flag")], "more c"),
        ([("a", "category"), ("b", "number")], "of another kind a (number, now category)"),
        (
            [("a", "number"), ("b2", "number")],
            "less b; more b2 (a renamed feature is one less and one more: it starts anew under its new name)",
        ),
    ],
)
def test_a_change_of_features_is_said_feature_by_feature(now: list[tuple[str, str]], told: str) -> None:
    assert feature_changes([("a", "number"), ("b", "number")], now) == told


def test_a_package_that_is_missing_is_told() -> None:
    with pytest.raises(DeclarationError, match="no package 'not_there'"):
        load_models("not_there")
    with pytest.raises(DeclarationError, match=r"no package 'not_there.at_all'"):
        load_models("not_there.at_all")


def test_a_module_in_a_packages_place_is_told() -> None:
    with pytest.raises(DeclarationError, match=r"'models.flight_record' is a module, not a package"):
        load_models("models.flight_record")


def test_a_hidden_module_that_a_model_imports_is_told_with_what_to_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hidden_declared").mkdir()
    (tmp_path / "hidden_declared" / "__init__.py").touch()
    (tmp_path / "hidden_declared" / "a.py").write_text("def lazily():\n    from assets.prices import table\n")
    (tmp_path / "assets.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    with pytest.raises(DeclarationError, match=r"assets.py is hidden by .*/assets/__init__.py; rename it, and what imports it"):
        load_models("hidden_declared")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    with pytest.raises(DeclarationError, match=r"models/__init__.py is hidden by .*/models/__init__.py; rename it"):
        load_models("models")


def test_modules_of_the_working_folder_are_found_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "only_here"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.syspath_prepend(tmp_path)
    put_behind(tmp_path)
    assert str(tmp_path) not in sys.path
    found = importlib.util.find_spec("only_here")
    assert found is not None
    assert found.origin == str(tmp_path / "only_here.py")
    assert list(hidden_modules(tmp_path, ["json", "only_here", "assets"])) == ["json"]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: changed(rollout=Canary), "rollout: .* is no rollout; give a list of steps"),
        (lambda: changed(rollout=["canary"]), "rollout: 'canary' is no step of a rollout; there are Approval, Shadow, Canary"),
        (lambda: changed(rollout=[Straight(), Approval()]), "Straight\\(\\) stands alone"),
        (lambda: changed(rollout=[Guard(), Approval()]), "Guard\\(\\) is the last step"),
        (lambda: changed(rollout=[ABTest(unit="shop")]), "rollout: unit 'shop' is no request field; the request has"),
        (lambda: Canary(steps=[25, 5], each="2d"), r"Canary: declaration: steps=\[25.0, 5.0\]: give rising shares in per cent"),
        (lambda: Canary(steps=[0.5, 101], each="2d"), "above 0 and at most 100"),
        (lambda: Canary(steps=[], each="2d"), "give rising shares"),
        (Shadow, "Shadow: declaration: for_=None outcomes=None: give one of them"),
        (lambda: Shadow(for_="7d", outcomes=100), "give one of them"),
        (lambda: ABTest(share=1.0), "ABTest: share"),
    ],
)
def test_what_is_no_rollout_is_refused(declare: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        declare()


def test_a_rollout_is_gone_through_in_order_and_ends_with_the_guard() -> None:
    model = changed(rollout=[Approval(within="2d"), Shadow(outcomes=500), Canary(steps=[5, 50], each="1d", unit="region")])
    day = 86_400.0
    assert stages_of(model.rollout) == [
        Stage(kind="approval", seconds=2 * day),
        Stage(kind="shadow", seconds=84 * day, outcomes=500),
        Stage(kind="canary", seconds=day, share=0.05, unit="region"),
        Stage(kind="canary", seconds=day, share=0.5, unit="region"),
        Stage(kind="guard", seconds=84 * day),
    ]
    assert stages_of(changed(rollout=[Guard(for_="7d")]).rollout) == [Stage(kind="guard", seconds=7 * day)]
    assert changed(rollout=Straight()).rollout == changed(rollout=[]).rollout == []


def test_ids_of_requests_that_the_former_gate_made_are_the_same() -> None:
    former = (
        "Gate(metric='log_loss', backtest=datetime.timedelta(days=28), folds=4, min_unseen_days=7, confidence=0.9, "
        "margin=0.002, slices=[], slice_margin=0.1, slice_rows=50, max_latency_ms=20.0)"
    )
    assert repr(Gate()) == former
    assert repr(Gate(prove="better")) == f"{former[:-1]}, prove='better')"
    asked = Gate(by_cause={"drift": Question(margin="5 % of a week's spread")})
    assert repr(asked) == f"{former[:-1]}, by_cause={{'drift': Question(prove='no_worse', margin=\"5 % of a week's spread\")}})"


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        (Question(), (None, 0.1)),
        (Question(prove="better"), (0.0, None)),
        (Question(margin=0.01), (0.01, None)),
        (Question(margin="12.5% of a week's spread"), (None, 0.125)),
    ],
)
def test_a_margin_is_in_units_or_a_share_of_the_spread(question: Question, allowed: tuple[float | None, float | None]) -> None:
    assert question.allowed == allowed
    assert Gate(by_cause={"person": question}).question("person") == question
    assert Gate(by_cause={"person": question}).question("drift") == Gate(by_cause={"person": question})


class _Mine:
    """A policy of the user's, beside others or alone."""

    def decide(self, model: Any, at: Any, current: Any, history: Any) -> Any:
        raise NotImplementedError


class _Both(Part):
    """As everfit's own, which consist of others."""

    policies: list[Any]

    def decide(self, model: Any, at: Any, current: Any, history: Any) -> Any:
        raise NotImplementedError


_Both.__module__ = "everfit.policy.both"


def test_a_policy_of_the_users_names_causes_of_its_own() -> None:
    own = ["person", "full_moon"]
    assert cause_fault(own, _Mine()) == cause_fault(own, _Both(policies=[_Mine()])) == ""
    assert "'full_moon'" in cause_fault(own, None)
    assert "'full_moon'" in cause_fault(own, _Both(policies=[OnDrift()]))
