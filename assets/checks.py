"""The champion's newest evidence of each kind, as checks on it. The sensor reports the same verdicts as they fall.

A verdict belongs to the version that it judged. Of a champion that was not judged yet nothing is reported, and Dagster says
*not evaluated*, also where somebody ran the check. What could not be judged has not passed: it warns; an alarm fails.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.champion import champion_key
from assets.pages import markdown, readable
from everfit.declaration import Model
from everfit.evaluation.plots import share_of_threshold
from everfit.evidence.kinds import Drift, kinds
from everfit.runtime import Runtime

if TYPE_CHECKING:
    from everfit.store.judgements import Judgement


def check_result(judgement: "Judgement", pages: str) -> dg.AssetCheckResult:
    """A verdict as a check's result; 'insufficient' has not passed, and warns. ``pages`` is where a browser finds serving."""
    return dg.AssetCheckResult(**_verdict(judgement, pages))


def check_evaluation(judgement: "Judgement", pages: str) -> dg.AssetCheckEvaluation:
    """The same as an event of the sensor's."""
    return dg.AssetCheckEvaluation(**_verdict(judgement, pages))


def not_judged(model: Model, kind: str) -> dg.AssetCheckEvaluation:
    """Of a champion of which no window was judged yet: no pass, and no alarm."""
    return dg.AssetCheckEvaluation(
        asset_key=champion_key(model.name),
        check_name=kind,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="not judged: no window of this version has closed yet",
        metadata={"verdict": dg.MetadataValue.text("not judged")},
    )


def _verdict(judgement: "Judgement", pages: str) -> dict[str, Any]:
    return {
        "asset_key": champion_key(judgement.model),
        "check_name": judgement.kind,
        "passed": judgement.verdict == "ok",
        "severity": dg.AssetCheckSeverity.ERROR if judgement.verdict == "alarm" else dg.AssetCheckSeverity.WARN,
        "description": f"not judged: {judgement.reason}" if judgement.verdict == "insufficient" else judgement.reason,
        "metadata": _metadata(judgement, pages),
    }


def _shares(columns: list[dict[str, Any]]) -> dict[str, float]:
    """What decides on each column, with Evidently's distance in its name: its moving average; of an older version that."""
    named = {f"{column['column']} ({column['measure']} {column['distance']:.3f})": column for column in columns}
    decided = {
        name: (abs(column["average"]), column["allowed"]) if "allowed" in column else (column["distance"], column["threshold"])
        for name, column in named.items()
    }
    return {name: value / threshold for name, (value, threshold) in decided.items() if threshold}


def _metadata(judgement: "Judgement", pages: str) -> dict[str, dg.MetadataValue]:
    """Version, window, statistic and threshold, which Dagster plots over time; a link to the report where there is one."""
    metadata: dict[str, dg.MetadataValue] = {
        "version": dg.MetadataValue.int(judgement.version),
        "window": dg.MetadataValue.text(f"{judgement.window_start:%Y-%m-%d} to {judgement.window_end:%Y-%m-%d}"),
        "verdict": dg.MetadataValue.text(judgement.verdict),
    }
    if judgement.statistic is not None:
        metadata["statistic"] = dg.MetadataValue.float(readable(judgement.statistic))
    if judgement.threshold is not None:
        metadata["threshold"] = dg.MetadataValue.float(readable(judgement.threshold))
    if judgement.kind == Drift.name and (measured := judgement.detail.get("columns")):
        metadata["how far each column is, as a share of the threshold"] = markdown(
            "share of threshold", share_of_threshold(_shares(measured))
        )
    if "html" in judgement.detail:
        title = "Evidently's report" if judgement.kind == Drift.name else "report"
        metadata[title] = dg.MetadataValue.url(f"{pages.rstrip('/')}/reports/{judgement.detail['html']}")
    return metadata


def evidence_checks(model: Model) -> dg.AssetChecksDefinition:
    """Re-report the newest stored evidence of a model's champion, as far as it was judged."""
    key = champion_key(model.name)

    @dg.multi_asset_check(
        name=f"{model.name}__evidence",
        specs=[dg.AssetCheckSpec(kind.name, asset=key, description=kind.describes) for kind in kinds().values()],
        can_subset=True,
    )
    def evidence(context: dg.AssetCheckExecutionContext, everfit: dg.ResourceParam[Runtime]) -> Iterator[dg.AssetCheckResult]:
        newest = {judgement.kind: judgement for judgement in newest_evidence(everfit, model)}
        for selected in sorted(check.name for check in context.selected_asset_check_keys):
            if selected in newest:
                yield check_result(newest[selected], everfit.settings.serving_pages)
            else:
                context.log.info("%s: no window of the champion was judged yet", selected)

    return evidence


def newest_evidence(runtime: Runtime, model: Model) -> "Sequence[Judgement]":
    """The champion's own, by kind; none where there is no champion, or none of its windows has closed."""
    from everfit.store import judgements, ledger

    with runtime.engine.connect() as connection:
        return judgements.newest(connection, model, ledger.champion_numbers(connection, model.name))
