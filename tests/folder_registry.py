"""A registry as another package might bring it: given to the runtime, nothing of everfit is changed for it."""

from pathlib import Path

import msgspec

from everfit.declaration.rollouts import ROLES, Role
from everfit.errors import LostVersionError
from everfit.registry import Artifact
from everfit.training.artifact import Signature


class FolderRegistry:
    """Versions and roles as files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def register(self, model: str, artifact: Artifact, *, above: int) -> int:
        version = 1 + max([above, *(int(folder.name) for folder in self.root.glob(f"{model}/*") if folder.is_dir())])
        folder = self.root / model / str(version)
        folder.mkdir(parents=True)
        (folder / "model").write_bytes(artifact.content)
        (folder / "about.json").write_bytes(msgspec.json.encode((artifact.signature, artifact.tags)))
        return version

    def fetch(self, model: str, version: int) -> Artifact:
        folder = self.root / model / str(version)
        if not folder.exists():
            raise LostVersionError(f"{folder} does not exist")
        about = msgspec.json.decode((folder / "about.json").read_bytes(), type=tuple[Signature, dict[str, str]])
        return Artifact((folder / "model").read_bytes(), *about)

    def roles(self, model: str) -> dict[Role, int]:
        files = {role: self.root / model / role for role in ROLES}
        return {role: int(file.read_text()) for role, file in files.items() if file.exists()}

    def point(self, model: str, role: Role, version: int) -> None:
        self.fetch(model, version)
        (self.root / model / role).write_text(str(version))

    def describe(self, model: str, version: int, card: str) -> None:
        self.fetch(model, version)
        (self.root / model / str(version) / "card.md").write_text(card)
