"""What a registry of model versions must do: five verbs. Who is champion is the ledger's to say, never the registry's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from everfit.declaration.rollouts import Role
from everfit.training.artifact import Signature

MANIFEST = "everfit.manifest"  # tag of a registered version: its manifest's hash


@dataclass(frozen=True, slots=True)
class Artifact:
    """A version as it is served: its bytes, by its signature a graph or a file of skops, what it takes, and its tags."""

    content: bytes
    signature: Signature
    tags: Mapping[str, str]


class Registry(Protocol):
    """Numbered versions of each model, and roles that point to them. A registry of another kind is given to the runtime."""

    def register(self, model: str, artifact: Artifact, *, above: int) -> int:
        """Keep a version; returns its number, which is new and greater than ``above``.

        Raises:
            ServiceError: when the registry does not answer.
        """

    def fetch(self, model: str, version: int) -> Artifact:
        """A registered version, as it was registered.

        Raises:
            LostVersionError: when the registry does not have it.
            ServiceError: when the registry does not answer.
        """

    def roles(self, model: str) -> dict[Role, int]:
        """The version of each role that was given; empty where nothing is registered.

        Raises:
            ServiceError: when the registry does not answer.
        """

    def point(self, model: str, role: Role, version: int) -> None:
        """Give a role to a version, whichever had it before.

        The champion's role follows the ledger: :func:`everfit.pipeline.reconciliation.set_alias`.

        Raises:
            LostVersionError: when the registry does not have the version.
            ServiceError: when the registry does not answer.
        """

    def describe(self, model: str, version: int, card: str) -> None:
        """Keep the card of a version, in Markdown, in place of the one before.

        Raises:
            LostVersionError: when the registry does not have the version.
            ServiceError: when the registry does not answer.
        """
