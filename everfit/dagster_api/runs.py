"""Dagster's webserver, asked by GraphQL over HTTP: what its pages do, for commands that must not import it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from everfit.dagster_api.client import GraphQL, UnansweredError
from everfit.errors import ServiceError

LOCATION = "everfit"  # as workspace.yaml names the code location
ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
LAUNCH = "everfit/launch"  # tag of a run that was launched here: tells one launch from any other

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
class Held:
    """The days that Dagster knows of an asset, in its order, and those of them that it holds as made."""

    days: list[str]
    made: frozenset[str]


class Orchestrator:
    """One Dagster webserver; :meth:`close` gives the connection back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._graphql = GraphQL(url)
        self.close = self._graphql.close
        self.ask = self._graphql.ask

    def held(self, model: str, assets: Sequence[str]) -> dict[str, Held]:
        """The days of daily assets.

        Raises:
            ServiceError: when Dagster has not loaded the model.
        """
        nodes = self.ask(_DAYS, keys=[{"path": [model, asset]} for asset in assets])["assetNodes"]
        found = {
            node["assetKey"]["path"][-1]: Held(
                node["partitionKeys"], frozenset(node["assetPartitionStatuses"].get("materializedPartitions", []))
            )
            for node in nodes
        }
        if missing := [asset for asset in assets if asset not in found]:
            raise ServiceError(f"Dagster at {self._url} has no {model}/{missing[0]}: is its code location loaded?")
        return found

    def change_days(self, name: str, remove: Sequence[str], add: Sequence[str]) -> None:
        """Take days out of a set of dynamic partitions, and put others at its end; what was made of them stays on record."""
        repository = self._repository()
        if remove:
            self.ask(_REMOVE_DAYS, repository=repository, name=name, days=list(remove))
        for day in add:
            self.ask(_ADD_DAY, repository=repository, name=name, day=day)

    def launch(self, assets: Sequence[Sequence[str]], tags: Mapping[str, str]) -> str:
        """Launch a run of some assets, as the Materialize button does; returns its id.

        Raises:
            ServiceError: when Dagster does not take it.
        """
        repository = self._repository()
        parameters = {
            "selector": {**repository, "jobName": "__ASSET_JOB", "assetSelection": [{"path": list(asset)} for asset in assets]},
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": _tags({**tags, LAUNCH: (launch := uuid4().hex)})},
        }
        try:
            launched = self.ask(_LAUNCH, repeatable=False, parameters=parameters)["launchRun"]
        except UnansweredError:  # it may have been launched all the same: then a run bears the mark of this launch
            if runs := self._runs({"tags": _tags({LAUNCH: launch})}):
                return next(iter(runs))
            launched = self.ask(_LAUNCH, repeatable=False, parameters=parameters)["launchRun"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise ServiceError(f"Dagster launches no such run: {launched.get('message') or launched.get('errors')}")
        return str(launched["run"]["runId"])

    def in_flight(self, tags: Mapping[str, str]) -> list[str]:
        """Ids of the runs with these tags that have not ended."""
        return [run for run, status in self._runs({"tags": _tags(tags)}).items() if status not in ENDED]

    def statuses(self, runs: Sequence[str]) -> dict[str, str]:
        """Status of each run by id; one that was deleted counts as canceled."""
        return dict.fromkeys(runs, "CANCELED") | self._runs({"runIds": list(runs)})

    def _runs(self, wanted: Mapping[str, Any]) -> dict[str, str]:
        found = self.ask(_RUNS, filter=wanted)["runsOrError"]
        if "results" not in found:
            raise ServiceError(f"Dagster at {self._url} cannot list its runs: {found['message']}")
        return {run["runId"]: run["status"] for run in found["results"]}

    def _repository(self) -> dict[str, str]:
        nodes = self.ask(_LOCATION)["repositoriesOrError"].get("nodes") or []
        for node in nodes:
            if node["location"]["name"] == LOCATION:
                return {"repositoryName": node["name"], "repositoryLocationName": LOCATION}
        told = ", ".join(node["location"]["name"] for node in nodes) or "none"
        raise ServiceError(f"Dagster at {self._url} has no code location {LOCATION!r} (loaded: {told}); see `everfit doctor`")


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
