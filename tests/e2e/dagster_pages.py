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

    def materialize(self, *assets: list[str], partition: str | None = None, config: dict[str, Any] | None = None) -> str:
        """Launch a run of these assets as the Materialize button does, and await its end; returns its status."""
        selector = {
            "repositoryLocationName": self._location(),
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": asset} for asset in assets],
            "assetCheckSelection": [],
        }
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        parameters = {
            "selector": selector,
            "runConfigData": config or {},
            "executionMetadata": {"tags": tags},
            "mode": "default",
        }
        launched = self.ask(_LAUNCH, parameters=parameters)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]

        def status() -> str:
            return next(str(one["status"]) for one in self.runs() if one["runId"] == run)

        return wait_until(status, ENDED.__contains__, f"the run {run} to end", stall_seconds=RUN_SECONDS)

    def _location(self) -> str:
        found = self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }")
        return str(found["repositoriesOrError"]["nodes"][0]["location"]["name"])

    def close(self) -> None:
        self._client.close()
