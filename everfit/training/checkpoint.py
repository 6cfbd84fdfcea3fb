"""The last checkpoint of a fit of PyTorch, as files of its folder: tensors in safetensors, all else in JSON.

``weights-<sha12>.safetensors`` is written first, and ``checkpoint.json``, which names it, takes the place of the one before: a
process that is killed at any moment leaves a whole checkpoint. What does not fit the fit that finds it, or is not whole, is
moved to ``set_aside/``, and the fit starts anew.
"""

import hashlib
import logging
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration.fit_context import FitContext
from everfit.declaration.recipes import Recipe
from everfit.features.fingerprint import class_version

if TYPE_CHECKING:
    from torch import Tensor

DOCUMENT = "checkpoint.json"
ASIDE = "set_aside"

logger = logging.getLogger(__name__)


class Document(msgspec.Struct, frozen=True):
    """``identity`` is of what is fitted, on what; ``state`` is JSON; ``weights`` and ``sha256`` name the tensors' file."""

    identity: dict[str, Any]
    state: dict[str, Any]
    weights: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Saves and finds the state of one fit in its folder."""

    folder: Path
    identity: Mapping[str, Any]

    def save(self, tensors: "Mapping[str, Tensor]", state: Mapping[str, Any]) -> None:
        """Replace the last checkpoint.

        Raises:
            TypeError: when JSON cannot hold the state.
        """
        from safetensors.torch import save

        content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})
        digest = hashlib.sha256(content).hexdigest()
        name = f"weights-{digest[:12]}.safetensors"
        _replace(self.folder / name, content)
        _replace(self.folder / DOCUMENT, msgspec.json.encode(Document(dict(self.identity), dict(state), name, digest)))
        for older in self.folder.glob("weights-*.safetensors"):
            if older.name != name:
                older.unlink()

    def load(self) -> "tuple[dict[str, Tensor], dict[str, Any]] | None":
        """The tensors and the state that were saved last; None where there are none to go on from."""
        from safetensors.torch import load

        if not (self.folder / DOCUMENT).exists():
            return None
        try:
            document, content = read(self.folder)
        except (OSError, ValueError) as error:
            self._set_aside(f"it is not whole: {error}")
            return None
        if others := _differences(document.identity, msgspec.to_builtins(dict(self.identity))):
            self._set_aside(f"it is of another fit: {others}")
            return None
        return load(content), document.state

    def _set_aside(self, why: str) -> None:
        """Move what was found out of the way, so that a person can look at it."""
        aside = self.folder / ASIDE
        aside.mkdir(exist_ok=True)
        for file in [self.folder / DOCUMENT, *self.folder.glob("weights-*.safetensors")]:
            file.replace(aside / file.name)
        logger.warning("checkpoint in %s is set aside, and its fit starts anew: %s", self.folder, why)


def read(folder: Path) -> tuple[Document, bytes]:
    """The document, and the content of the tensors' file.

    Raises:
        OSError: when one of them is missing.
        ValueError: when one of them is not what was written.
    """
    try:
        document = msgspec.json.decode((folder / DOCUMENT).read_bytes(), type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{DOCUMENT}: {error}") from error
    content = (folder / Path(document.weights).name).read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != document.sha256:
        raise ValueError(f"{document.weights} has the SHA-256 {found}, not {document.sha256}")
    return document, content


def checkpoint_of(recipe: Recipe, context: FitContext, arrays: "Iterable[Tensor | None]") -> Checkpoint | None:
    """The checkpoint of a fit on these arrays; None where the fit has no folder.

    Another recipe, other settings, arrays or versions make it another fit.
    """
    if context.checkpoints is None:
        return None
    import torch

    identity = {
        "recipe": f"{type(recipe).__module__}.{type(recipe).__qualname__}",
        "code": class_version(type(recipe)),
        "settings": recipe.model_dump(mode="json"),
        "seed": context.seed,
        "arrays": [None if each is None else _digest(each) for each in arrays],
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    return Checkpoint(context.checkpoints, identity)


def _digest(array: "Tensor") -> str:
    content = array.contiguous().numpy()
    return hashlib.sha256(f"{content.dtype}{content.shape}".encode() + content.tobytes()).hexdigest()


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What differs, by name."""
    names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    return "; ".join(f"{name} was {found.get(name)}, and is {wanted.get(name)}" for name in names)


def _replace(target: Path, content: bytes) -> None:
    """Write a file that is complete or absent: its name is given to it last."""
    written = target.with_name(f".writing-{target.name}")
    written.write_bytes(content)
    written.replace(target)
