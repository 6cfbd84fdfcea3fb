"""A fitted object as a file of skops, for what ONNX cannot hold: it is read by types that were named, and never unpickled.

https://skops.readthedocs.io/en/stable/persistence.html
"""

import io
import re
import zipfile
from collections.abc import Iterable
from typing import Any

from everfit.errors import NotServableError, RecipeError

OWN = (  # trusted, too
    "everfit.training.native_estimator.NativeEstimator",
    "everfit.training.native_estimator.NativeProduct",
    "numpy.dtype",
)
SCHEMA = "schema.json"
ADDRESS = re.compile(r'("__id__": |"file": ")([^".,\s]+)')  # in skops' schema: an object's, and the name of its file
WRITTEN = (1980, 1, 1, 0, 0, 0)  # zip has no earlier date: a file's bytes follow from its content alone


def dumped(fitted: Any, trusted: Iterable[str], name: str) -> bytes:
    """The file of an object with ``predict(frame)``; the same object gives the same bytes.

    Args:
        fitted: what is kept.
        trusted: the types within it that the declaration names, beside those that skops trusts by itself.
        name: of the recipe, for a message.

    Raises:
        RecipeError: when it holds other types, or skops cannot keep it.
    """
    import skops.io

    try:
        content = _renumbered(skops.io.dumps(fitted))
        unknown = _untrusted(content, trusted)
    except Exception as error:  # skops raises what the objects within it raise
        raise RecipeError(
            f"recipe {name}: skops cannot keep {type(fitted).__name__}: {error!r}; use another estimator"
        ) from error
    if unknown:
        raise RecipeError(f"recipe {name}: {_refusal(unknown, trusted)}")
    return content


def loaded(content: bytes, trusted: Iterable[str]) -> Any:
    """The object of a file.

    Raises:
        NotServableError: when it is no file of skops, or holds types that were not named; none of them is imported then.
    """
    import skops.io

    try:
        unknown = _untrusted(content, trusted)
    except Exception as error:  # skops reads whatever it is given, and fails in many ways
        kept = f"{len(content)} bytes that begin with {content[:8]!r} are no file of skops ({error!r})"
        raise NotServableError(f"{kept}; nothing else is loaded, and no pickle") from error
    if unknown:
        raise NotServableError(f"it is not loaded: {_refusal(unknown, trusted)}")
    return skops.io.loads(content, trusted=[*OWN, *trusted])


def _untrusted(content: bytes, trusted: Iterable[str]) -> list[str]:
    import skops.io

    return sorted({*skops.io.get_untrusted_types(data=content)} - {*OWN, *trusted})


def _refusal(unknown: list[str], trusted: Iterable[str]) -> str:
    named = ", ".join(f'"{each}"' for each in sorted({*unknown, *trusted}))
    return (
        f"it holds types that the declaration does not name: {', '.join(unknown)}; look at what they do, and write "
        f"native=[{named}] where you trust them"
    )


def _renumbered(content: bytes) -> bytes:
    """The same file with numbers of its own in place of addresses in memory, and no time of writing."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return found[1] + numbers.setdefault(found[2], str(len(numbers)))

    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        schema = ADDRESS.sub(number, old.read(SCHEMA).decode())
        for file in old.namelist():
            if file != SCHEMA:
                stem, dot, kind = file.partition(".")
                new.writestr(zipfile.ZipInfo(numbers[stem] + dot + kind, WRITTEN), old.read(file))
        new.writestr(zipfile.ZipInfo(SCHEMA, WRITTEN), schema)
    return target.getvalue()
