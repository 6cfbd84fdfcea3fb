"""What a person does in Dagster's pages, by the same GraphQL."""

from typing import Any

import httpx

from everfit.waiting import wait_until

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
RUN_SECONDS = 120.0

_LAUNCH = """
mutation ($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on InvalidSubsetError { message }
  }
}
"""
_RUNS = "{ runsOrError { ... on Runs { results { runId status tags { key value } assetSelection { path } } } } }"
_CHECKS = """
query ($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 100) {
    status evaluation { success severity description metadataEntries { label } }
  }
}
"""
_STALE = """
query ($key: AssetKeyInput!, $day: String) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { dataVersion(partition: $day) staleStatus(partition: $day) staleCauses(partition: $day) { reason } }
  }
}
"""


def _span(partition: str | None, last: str | None) -> list[dict[str, str]]:
    """The tags of a run of one day, of a range, or of what has no days."""
    span = {"dagster/asset_partition_range_start": partition, "dagster/asset_partition_range_end": last}
    tags = span if last else {"dagster/partition": partition}
    return [{"key": key, "value": value} for key, value in tags.items() if value]


class Dagster:
    """The webserver of one stack."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30.0, trust_env=False)

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = self._client.post("/graphql", json={"query": query, "variables": variables}).raise_for_status().json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first; tags as a mapping."""
        found: list[dict[str, Any]] = self.ask(_RUNS)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def checks(self, asset: list[str], name: str) -> list[dict[str, Any]]:
        """The evaluations of a check, newest first."""
        found: list[dict[str, Any]] = self.ask(_CHECKS, key={"path": asset}, name=name)["assetCheckExecutions"]
        return found

    def materialize(
        self,
        *assets: list[str],
        partition: str | None = None,
        last: str | None = None,
        config: dict[str, Any] | None = None,
    ) -> str:
        """Launch a run of these assets as the Materialize button does, and await its end; returns its status.

        ``partition`` is a day, and the first of a range where ``last`` is given. A config that does not fit is told as it is.
        """
        selector = {
            "repositoryLocationName": self._location(),
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": asset} for asset in assets],
            "assetCheckSelection": [],
        }
        tags = _span(partition, last)
        parameters = {
            "selector": selector,
            "runConfigData": config or {},
            "executionMetadata": {"tags": tags},
            "mode": "default",
        }
        launched = self.ask(_LAUNCH, parameters=parameters)["launchRun"]
        if launched["__typename"] == "RunConfigValidationInvalid":
            return str(launched["errors"][0]["message"])
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]

        def status() -> str:
            return next(str(one["status"]) for one in self.runs() if one["runId"] == run)

        return wait_until(status, ENDED.__contains__, f"the run {run} to end", stall_seconds=RUN_SECONDS)

    def stale(self, asset: list[str], day: str | None = None) -> list[str]:
        """Why Dagster calls an asset, or a day of it, stale; nothing where it is fresh."""
        found = self.ask(_STALE, key={"path": asset}, day=day)["assetNodeOrError"]
        return [str(cause["reason"]) for cause in found["staleCauses"]]

    def data_version(self, asset: list[str], day: str | None = None) -> str:
        """The newest data version."""
        return str(self.ask(_STALE, key={"path": asset}, day=day)["assetNodeOrError"]["dataVersion"])

    def _location(self) -> str:
        found = self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }")
        return str(found["repositoriesOrError"]["nodes"][0]["location"]["name"])

    def close(self) -> None:
        self._client.close()
