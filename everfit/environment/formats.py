"""Documents that outlive the version of everfit that wrote them: each has a format number, and older ones are read.

A new field has a default and leaves the format as it is. Where an old document means something else, its kind gets the next
format, and a function that makes the newer document of the older. A document without a number is of format 1.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar, get_args

import msgspec

from everfit.errors import FormatError

Document = dict[str, Any]
Upgrade = Callable[[Document], Document]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The base of what is kept. ``upgrades`` make format 2 of 1, 3 of 2, …; ``format`` is by default what the last makes."""

    upgrades: ClassVar[tuple[Upgrade, ...]] = ()
    format: int = 1


Kind = TypeVar("Kind", bound=Kept)


def read(content: bytes, kind: type[Kind], name: str) -> Kind:
    """Decode a document, upgraded where an older version wrote it.

    Args:
        content: JSON.
        kind: what it is.
        name: tells it apart in a message, such as its hash or file.

    Raises:
        FormatError: when a newer version wrote it, or it is no document of that kind.
    """
    try:
        return convert(msgspec.json.decode(content, type=dict[str, Any]), kind, name)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{kind.__name__} {name} cannot be read ({error}); restore it from a backup") from error


def convert(document: Document, kind: type[Kind], name: str) -> Kind:
    """As :func:`read`, of a document that is decoded already."""
    try:
        return msgspec.convert(_upgraded(document, kind, name), kind)
    except msgspec.ValidationError as error:
        raise FormatError(f"{kind.__name__} {name} cannot be read ({error}); restore it from a backup") from error


def require_format(document: Document, newest: int, name: str) -> int:
    """The document's format.

    Raises:
        FormatError: when it is newer than ``newest``.
    """
    number = document.get("format", 1)
    if not isinstance(number, int) or not 1 <= number <= newest:
        raise FormatError(
            f"{name} is of format {number!r}, and this everfit reads formats up to {newest}: a newer everfit wrote it. "
            "Install that version again, or restore the backup from before the upgrade"
        )
    return number


def _upgraded(document: Document, kind: type[Kept], name: str) -> Document:
    """The document and those inside it, each brought to its kind's newest format."""
    number = require_format(document, len(kind.upgrades) + 1, f"{kind.__name__} {name}")
    for upgrade in kind.upgrades[number - 1 :]:
        document = upgrade(document)
    document = document | {"format": len(kind.upgrades) + 1}
    for field, inner in _inner(kind):
        value = document.get(field)
        if isinstance(value, dict):
            document[field] = _upgraded(value, inner, name)
        elif isinstance(value, list):
            document[field] = [_upgraded(item, inner, name) if isinstance(item, dict) else item for item in value]
    return document


def _inner(kind: type[Kept]) -> Iterator[tuple[str, type[Kept]]]:
    """The fields that hold kept documents, one or a list of them, and their kind."""
    for field in msgspec.structs.fields(kind):
        for type_ in (field.type, *get_args(field.type)):
            if isinstance(type_, type) and issubclass(type_, Kept):
                yield field.encode_name, type_
