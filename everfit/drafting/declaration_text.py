"""The text of a drafted declaration: a module that imports, checks and runs, with a comment wherever a person must decide."""

from typing import NamedTuple

from everfit.drafting.column_guess import ColumnGuess
from everfit.drafting.reading_text import Rows, recorded
from everfit.drafting.roles import Roles
from everfit.drafting.spans import Spans
from everfit.drafting.written import code, free
from everfit.review.remark import some

PAST = "28d"


class Draft(NamedTuple):
    """All that a declaration is written from.

    ``source`` and ``model`` are names; ``left_out`` are columns that are no inputs, and why.
    """

    file: str
    source: str
    model: str
    rows: Rows
    roles: Roles
    spans: Spans
    left_out: dict[str, str]

    @property
    def inputs(self) -> list[ColumnGuess]:
        """The columns that become fields of the request, beside the entity."""
        taken = {self.roles.time.name, self.roles.label.name, self.rows.entity, *self.left_out}
        return [guess for guess in self.rows.columns if guess.kind not in ("Time", "other") and guess.name not in taken]

    @property
    def texts(self) -> list[str]:
        """The inputs that are texts."""
        return [guess.name for guess in self.inputs if guess.kind == "Text"]


def declaration_text(draft: Draft) -> str:
    """The module."""
    parts = [_head(draft), recorded(draft.rows, draft.file), _source(draft)]
    parts += [_view(draft)] if _past(draft) else []
    parts.append(_history(draft))
    parts += [_estimator(draft)] if draft.texts else []
    return "\n\n\n".join([*parts, _model(draft)]) + "\n"


def _head(draft: Draft) -> str:
    columns = {guess.kind for guess in draft.rows.columns} - {"other"} | {"Category"}
    names = {"DriftPolicy", "FreshnessPolicy", "Gate", "Model", "Source", "TrainingWindow", *columns}
    names |= {_TASKS[draft.roles.task], "Sklearn" if draft.texts else "GradientBoosting"}
    names |= {taken.partition("(")[0] for taken in _past(draft).values()} | ({"feature_view"} if _past(draft) else set())
    listed = "".join(f"    {name},\n" for name in sorted(names, key=lambda name: (name.islower(), name)))
    label = draft.roles.label.name
    return (
        f'"""{label} of each row of {draft.source}: a first draft. DECIDE stands where you know better."""\n\n'
        "from pathlib import Path\nfrom typing import Any\n\nimport narwhals.stable.v2 as nw\n\n"
        f"from everfit import (\n{listed})\n\n"
        f'DELAY = "{draft.spans.delay}"  # DECIDE: how long after its time is a row known, its label {label} included?'
    )


_TASKS = {"binary": "BinaryClassification", "multiclass": "MulticlassClassification", "regression": "Regression"}


def _source(draft: Draft) -> str:
    lines = [f"        {_column(guess)},{_told(guess)}" for guess in draft.rows.columns if guess.kind != "other"]
    dropped = [guess.given for guess in draft.rows.columns if guess.kind == "other"]
    note = f"  # left out, of no kind that a column can be: {', '.join(map(code, dropped))}" if dropped else ""
    return "\n".join(
        [
            f"{draft.source} = Source(",
            f'    name="{draft.source}",',
            f"    columns=[{note}",
            *lines,
            "    ],",
            f"    identity={code(draft.rows.identity)},  # a second row of the same is a correction",
            f'    event_time="{draft.roles.time.name}",',
            "    known_after=DELAY,",
            "    recorded=recorded_rows,",
            ")",
        ]
    )


def _told(guess: ColumnGuess) -> str:
    return f"  # {code(guess.given)} in the file" if guess.given != guess.name else ""


def _column(guess: ColumnGuess) -> str:
    size = f", {guess.size}" if guess.kind == "Vector" else ""
    return f'{guess.kind}("{guess.name}"{size}{", nullable=True" if guess.nullable else ""})'


def _has_mean(draft: Draft) -> bool:
    return draft.roles.task != "multiclass"


def _past(draft: Draft) -> dict[str, str]:
    """The features of the past, by name."""
    label, taken = draft.roles.label.name, [guess.name for guess in draft.rows.columns]
    resolution = draft.spans.resolution and f", resolution={draft.spans.resolution}"
    means = {free(f"past_{label}"[:60], taken): f'mean("{label}", over="{PAST}"{resolution})'} if _has_mean(draft) else {}
    past = means | {free("past_rows", taken): f'count("one", over="{PAST}")'}
    return {name: taken_of for name, taken_of in past.items() if name not in draft.left_out}


def _view(draft: Draft) -> str:
    features = [f"        {code(name)}: {taken}," for name, taken in _past(draft).items()]
    same = "" if draft.rows.is_constant else f" of the same {draft.rows.entity}"
    return "\n".join(
        [
            "@feature_view(",
            f'    key="{draft.rows.entity}",',
            '    known_at="out_at",',
            "    features={",
            *features,
            "    },",
            ")",
            f"def {draft.source}_lately({draft.source}: Any) -> Any:",
            f'    """What is known of earlier rows{same}. DECIDE: what else of the past tells?"""',
            f'    out_at = nw.col("{draft.roles.time.name}").dt.offset_by(DELAY)  # no row may be seen before it is out',
            f"    return {draft.source}.with_columns(out_at=out_at, one=nw.lit(1.0))",
        ]
    )


def _history(draft: Draft) -> str:
    label, time = draft.roles.label, draft.roles.time.name
    rows = f'{draft.source}.filter(~nw.col("{label.name}").is_null())' if label.nullable else draft.source
    return "\n".join(
        [
            f"def asked_rows({draft.source}: Any) -> Any:",
            '    """Each row as a request at its time, and when its label was known."""',
            f'    return {rows}.with_columns(observed_at=nw.col("{time}").dt.offset_by(DELAY))',
        ]
    )


def _estimator(draft: Draft) -> str:
    estimator = "Ridge" if draft.roles.task == "regression" else "LogisticRegression"
    categories = [guess.name for guess in draft.inputs if guess.kind == "Category"] + [draft.rows.entity]
    numbers = [guess.name for guess in draft.inputs if guess.kind in ("Number", "Integer", "Flag")]
    numbers += [f"{guess.name}_{n}" for guess in draft.inputs if guess.kind == "Vector" for n in range(guess.size)]
    numbers += _past(draft)
    steps = [f'        (TfidfVectorizer(max_features=1_000), "{name}"),' for name in draft.texts]
    steps.append(f'        (OneHotEncoder(handle_unknown="ignore"), {code(categories)}),')
    steps.append(f"        (make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()), {code(numbers)}),")
    return "\n".join(
        [
            "def words() -> Any:",
            '    """A linear model on the words of texts, beside categories and numbers."""',
            "    from sklearn.compose import make_column_transformer",
            "    from sklearn.feature_extraction.text import TfidfVectorizer",
            "    from sklearn.impute import SimpleImputer",
            f"    from sklearn.linear_model import {estimator}",
            "    from sklearn.pipeline import make_pipeline",
            "    from sklearn.preprocessing import OneHotEncoder, StandardScaler",
            "",
            "    columns = make_column_transformer(",
            *steps,
            "    )",
            f"    return make_pipeline(columns, {estimator}({'max_iter=1_000' if estimator != 'Ridge' else ''}))",
        ]
    )


def _model(draft: Draft) -> str:
    rows, roles, spans = draft.rows, draft.roles, draft.spans
    others = {role: f", or {some(list(map(code, names)))}?" if names else "" for role, names in roles.others.items()}
    entity = ("the table names nothing that rows are about" if rows.is_constant else "what a row is about") + others["entity"]
    classes = f", classes={code(roles.classes)}" if roles.task == "multiclass" else ""
    classes += ', rare="merge"' if roles.is_rare else ""
    fields = [f'        Category("{rows.entity}"),', *(f"        {_column(guess)}," for guess in draft.inputs)]
    identity = f"    identity={code([rows.entity, *rows.apart])},  # what tells requests of one time apart"
    candidate = 'Sklearn("words", words)' if draft.texts else "GradientBoosting()"
    task = f'{_TASKS[roles.task]}(label="{roles.label.name}"{classes})'
    return "\n".join(
        [
            f"{draft.model} = Model(",
            f'    name="{draft.model}",',
            "    description=__doc__,",
            f"    task={task},  # DECIDE: what to predict{others['label']}",
            f'    entity="{rows.entity}",  # DECIDE: {entity}',
            *([identity] if rows.apart else []),
            f'    event_time="{roles.time.name}",  # DECIDE: when a request is made{others["time"]}',
            f'    go_live="{spans.go_live}",  # DECIDE: the first version learns from what was known by then',
            f"    sources=[{draft.source}],",
            "    request=[  # DECIDE: leave out what is not known yet when the request is made",
            *fields,
            *(f"        # not {name}: {why}" for name, why in draft.left_out.items()),
            "    ],",
            *([f"    views=[{draft.source}_lately],"] if _past(draft) else []),
            "    history=asked_rows,",
            f"    candidates=[{candidate}],",
            "    training=TrainingWindow(label_delay=DELAY),",
            f'    gate=Gate(backtest="{spans.backtest}", folds={spans.folds}, min_unseen_days={spans.unseen}),',
            f'    drift=DriftPolicy(window="{spans.window}", min_rows={spans.min_rows}),',
            '    freshness=FreshnessPolicy(max_training_age="90d"),  # DECIDE: how old may what it has learnt be?',
            ")",
        ]
    )
