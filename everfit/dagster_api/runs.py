"""Partitions and runs in Dagster, read and changed through its webserver, for commands that must not import Dagster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from everfit.dagster_api.client import GraphQL, UnansweredError
from everfit.dagster_api.names import LOCATION
from everfit.errors import ServiceError

ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
LAUNCH = "everfit/launch"  # tag of a run that was launched here; its value identifies the launch

_LOCATION = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
_DAYS = """
query ($keys: [AssetKeyInput!]!) {
  assetNodes(assetKeys: $keys) {
    assetKey { path } partitionKeys
    assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } }
  }
}
"""
_ADD_DAY = """
mutation ($repository: RepositorySelector!, $name: String!, $day: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: $name, partitionKey: $day) {
    __typename ... on UnauthorizedError { message } ... on PythonError { message }
  }
}
"""
_REMOVE_DAYS = """
mutation ($repository: RepositorySelector!, $name: String!, $days: [String!]!) {
  deleteDynamicPartitions(repositorySelector: $repository, partitionsDefName: $name, partitionKeys: $days) {
    __typename ... on UnauthorizedError { message } ... on PythonError { message }
  }
}
"""
_LAUNCH = """
mutation ($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_RUNS = """
query ($filter: RunsFilter!) {
  runsOrError(filter: $filter) { ... on Runs { results { runId status } } ... on PythonError { message } }
}
"""


@dataclass(frozen=True, slots=True)
class AssetDays:
    """The partitions of a daily asset in Dagster's order, and those of them that are materialized."""

    days: list[str]
    made: frozenset[str]


class Orchestrator:
    """Reads and launches through one Dagster webserver; :meth:`close` closes the connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._graphql = GraphQL(url)
        self.close = self._graphql.close
        self.execute = self._graphql.execute

    def asset_days(self, model: str, assets: Sequence[str]) -> dict[str, AssetDays]:
        """The partitions of each daily asset.

        Raises:
            ServiceError: when Dagster has not loaded the model.
        """
        nodes = self.execute(_DAYS, keys=[{"path": [model, asset]} for asset in assets])["assetNodes"]
        days_by_asset = {
            node["assetKey"]["path"][-1]: AssetDays(
                node["partitionKeys"], frozenset(node["assetPartitionStatuses"].get("materializedPartitions", []))
            )
            for node in nodes
        }
        if missing := [asset for asset in assets if asset not in days_by_asset]:
            raise ServiceError(f"Dagster at {self._url} has no {model}/{missing[0]}: is its code location loaded?")
        return days_by_asset

    def change_days(self, name: str, remove: Sequence[str], add: Sequence[str]) -> None:
        """Remove days from a set of dynamic partitions and append others; materializations of removed days stay on record."""
        repository = self._repository()
        if remove:
            self.execute(_REMOVE_DAYS, repository=repository, name=name, days=list(remove))
        for day in add:
            self.execute(_ADD_DAY, repository=repository, name=name, day=day)

    def launch(self, assets: Sequence[Sequence[str]], tags: Mapping[str, str]) -> str:
        """Launch a run of some assets, as the Materialize button does, and return its id.

        Raises:
            ServiceError: when Dagster does not accept it.
        """
        repository = self._repository()
        parameters = {
            "selector": {**repository, "jobName": "__ASSET_JOB", "assetSelection": [{"path": list(asset)} for asset in assets]},
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": _tags({**tags, LAUNCH: (launch := uuid4().hex)})},
        }
        try:
            launched = self.execute(_LAUNCH, repeatable=False, parameters=parameters)["launchRun"]
        except UnansweredError:  # it may have been launched all the same: then a run carries this launch's tag
            if runs := self._runs({"tags": _tags({LAUNCH: launch})}):
                return next(iter(runs))
            launched = self.execute(_LAUNCH, repeatable=False, parameters=parameters)["launchRun"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise ServiceError(f"Dagster did not accept the run: {launched.get('message') or launched.get('errors')}")
        return str(launched["run"]["runId"])

    def in_flight(self, tags: Mapping[str, str]) -> list[str]:
        """Ids of the runs with these tags that have not ended."""
        return [run for run, status in self._runs({"tags": _tags(tags)}).items() if status not in ENDED]

    def statuses(self, runs: Sequence[str]) -> dict[str, str]:
        """Status of each run by id; a deleted run counts as canceled."""
        return dict.fromkeys(runs, "CANCELED") | self._runs({"runIds": list(runs)})

    def _runs(self, wanted: Mapping[str, Any]) -> dict[str, str]:
        answer = self.execute(_RUNS, filter=wanted)["runsOrError"]
        if "results" not in answer:
            raise ServiceError(f"Dagster at {self._url} cannot list its runs: {answer['message']}")
        return {run["runId"]: run["status"] for run in answer["results"]}

    def _repository(self) -> dict[str, str]:
        nodes = self.execute(_LOCATION)["repositoriesOrError"].get("nodes") or []
        for node in nodes:
            if node["location"]["name"] == LOCATION:
                return {"repositoryName": node["name"], "repositoryLocationName": LOCATION}
        loaded = ", ".join(node["location"]["name"] for node in nodes) or "none"
        raise ServiceError(f"Dagster at {self._url} has no code location {LOCATION!r} (loaded: {loaded}); see `everfit doctor`")


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
