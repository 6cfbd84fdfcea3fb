"""The table of the kinds of evidence. Importing it loads no library of arrays: what a kind needs is loaded when it judges."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from everfit.declaration.retraining import BY_HAND, FRESHNESS, NAME, REGRET
from everfit.environment.extensions import extensions, origin
from everfit.errors import MetricError, SettingsError
from everfit.evidence import Evidence, EvidenceKind, Trigger

if TYPE_CHECKING:
    from everfit.evidence.judged_window import JudgedWindow


LOOKED_BACK = 10  # windows: what a moving average holds of older ones is nothing
FOLLOWED = 52  # windows that a sequence of daily losses may have begun before


class Quality(EvidenceKind):
    """Broken data: see :mod:`everfit.evidence.quality`."""

    name = "quality"
    describes = "The newest window's columns against the training data's: schema, bounds, nulls, stuck values, volume."
    triggers: Trigger = "quarantine"

    def judge(self, window: "JudgedWindow") -> Evidence:
        """Put the verdicts on its days together; without any, count the rows against the version's profile."""
        from everfit.evidence.checked_days import together
        from everfit.evidence.quality import judge_quality

        if of_days := together(window.days):
            return of_days
        start, end = window.span
        return judge_quality(
            window.model,
            window.profile,
            window.counts,
            whole=window.is_whole,
            requests=window.requests,
            length=end - start,
            schemas=window.schemas,
            gone=[name for name, kind in window.inputs if (name, kind) not in window.model.features],
        )


class Drift(EvidenceKind):
    """A changed distribution: see :mod:`everfit.evidence.drift`."""

    name = "drift"
    describes = (
        "Moving averages of what the newest windows' columns and their relations say, against what the training time's own "
        "windows said, with Evidently's distance of each column."
    )
    triggers: Trigger = "retraining"

    def judge(self, window: "JudgedWindow") -> Evidence:
        """Follow the rows within their bounds on the version's chart, with Evidently's report of an alarm."""
        from everfit.evidence.drift import averages_before, judge_drift, watched
        from everfit.evidence.out_of_bounds import within

        rows = watched(window.model.task, within(window.model, window.rows))
        before = averages_before(window.earlier(self.name, LOOKED_BACK))
        evidence, html = judge_drift(window.calibration, window.reference, rows, span=window.span, before=before, html=True)
        return msgspec.structs.replace(_measured(evidence, window), report=html or "")


class Performance(EvidenceKind):
    """A metric worse than promised: see :mod:`everfit.evidence.performance`."""

    name = "performance"
    describes = "The metric on the newest matured labels, by sequences of daily losses, against what the gate had measured."
    triggers: Trigger = "retraining"

    def judge(self, window: "JudgedWindow") -> Evidence:
        """Compare matured rows with what the backtest promised; no evidence, with the reason, where a user's metric fails.

        They are of the newest window whose labels are all due; of this one the loss is estimated, where it can be.
        """
        from everfit.evidence.live_performance import judge_live

        try:
            return _measured(judge_live(window, window.earlier(self.name, FOLLOWED)), window.newest_matured or window)
        except MetricError as error:
            return Evidence(verdict="insufficient", reason=str(error), detail={"rows": window.row_count})


class Freshness(EvidenceKind):
    """Training data that are too old: see :mod:`everfit.evidence.freshness`."""

    name = FRESHNESS
    describes = "Age of the champion's training data by the model's clock, against the declared age."
    triggers: Trigger = "retraining"

    def judge(self, window: "JudgedWindow") -> Evidence:
        """Compare the age at the window's end with the declared one."""
        from everfit.evidence.freshness import judge_freshness

        return judge_freshness(window.trained_until, window.span[1], window.model.freshness.max_training_age)


class Regret(EvidenceKind):
    """What it costs not to retrain: see :mod:`everfit.evidence.regret`."""

    name = REGRET
    describes = (
        "The champion's metric against that of a model trained when the window began, on the newest window whose labels are "
        "all due."
    )
    triggers: Trigger = "nothing"

    def judge(self, window: "JudgedWindow") -> Evidence:
        """Score both on the same matured rows."""
        from everfit.evidence.regret import judge_regret

        return _measured(judge_regret(window), window.newest_matured or window)


def _measured(evidence: Evidence, window: "JudgedWindow") -> Evidence:
    """Evidence that was measured on a window's rows, with what these are of all."""
    detail = evidence.detail | window.sampling
    if not (left_out := window.quarantined_rows):
        return msgspec.structs.replace(evidence, detail=detail)
    reason = f"{evidence.reason}; {left_out} rows of quarantined days are left out"
    return msgspec.structs.replace(evidence, reason=reason, detail=detail | {"quarantined_rows": left_out})


def kinds() -> Mapping[str, EvidenceKind]:
    """Every kind of evidence by name, in the order of judging: everfit's own, then those of installed packages.

    Raises:
        SettingsError: when what a package adds cannot be made or is no kind of evidence, or its name is taken.
    """
    table: dict[str, EvidenceKind] = {kind.name: kind for kind in (Quality(), Drift(), Performance(), Freshness(), Regret())}
    points: dict[str, str] = {}  # of the installed kinds, by their names
    for point, member in extensions("evidence").items():
        try:
            kind = member() if isinstance(member, type) else member
            fault = _fault(kind, table, points)
        except (Exception, SystemExit) as error:
            raise _refusal(point, f"cannot be made ({type(error).__name__}: {error})") from error
        if fault:
            raise _refusal(point, fault)
        table[kind.name], points[kind.name] = kind, point
    return table


def _refusal(point: str, fault: str) -> SettingsError:
    return SettingsError(f"{origin('evidence', point)}: {fault}; repair or uninstall the package")


def _fault(kind: Any, table: Mapping[str, EvidenceKind], points: Mapping[str, str]) -> str:
    """Why an object is no further kind of evidence; empty where it is one."""
    name, triggers = getattr(kind, "name", None), getattr(kind, "triggers", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"its name is {name!r}; a kind has a lower-case name"
    if name in table:
        return f"the name {name!r} is taken by {origin('evidence', points[name]) if name in points else 'everfit'}"
    if name in BY_HAND:
        return f"the name {name!r} is taken by the retrainings that people request"
    if not isinstance(getattr(kind, "describes", None), str):
        return f"{name} does not describe what it measures"
    if triggers not in get_args(Trigger):
        return f"{name} triggers {triggers!r}; a kind triggers one of {', '.join(get_args(Trigger))}"
    judges = callable(getattr(kind, "judge", None)) and getattr(type(kind), "judge", None) is not EvidenceKind.judge
    return "" if judges else f"{name} has no method judge(window)"
