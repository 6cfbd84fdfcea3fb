"""A registry that ends with its process, for tests and drills."""

from everfit.declaration.rollouts import Role
from everfit.errors import LostVersionError
from everfit.registry.registry import Artifact


class InMemoryRegistry:
    """Versions and roles in dictionaries: ``artifacts`` and ``cards`` by model and version, ``pointers`` by model and role."""

    def __init__(self) -> None:
        self.artifacts: dict[tuple[str, int], Artifact] = {}
        self.cards: dict[tuple[str, int], str] = {}
        self.pointers: dict[tuple[str, Role], int] = {}

    def register(self, model: str, artifact: Artifact, *, above: int) -> int:
        """See :class:`everfit.registry.Registry`."""
        version = 1 + max([above, *(version for name, version in self.artifacts if name == model)])
        self.artifacts[model, version] = artifact
        return version

    def fetch(self, model: str, version: int) -> Artifact:
        """See :class:`everfit.registry.Registry`."""
        if (model, version) not in self.artifacts:
            raise LostVersionError(f"version {version} of {model} was never registered")
        return self.artifacts[model, version]

    def roles(self, model: str) -> dict[Role, int]:
        """See :class:`everfit.registry.Registry`."""
        return {role: version for (name, role), version in self.pointers.items() if name == model}

    def point(self, model: str, role: Role, version: int) -> None:
        """See :class:`everfit.registry.Registry`."""
        self.fetch(model, version)
        self.pointers[model, role] = version

    def describe(self, model: str, version: int, card: str) -> None:
        """See :class:`everfit.registry.Registry`."""
        self.fetch(model, version)
        self.cards[model, version] = card
