"""What is kept says its format: an older document is brought up to date, a newer one refused, a damaged one told."""

from typing import ClassVar

import msgspec
import pytest

from everfit.environment import formats
from everfit.environment.formats import Document, Kept, Upgrade
from everfit.errors import FormatError
from everfit.pipeline.manifests import Version
from everfit.training.artifact import Signature


def _in_seconds(old: Document) -> Document:
    return {name: value for name, value in old.items() if name != "minutes"} | {"seconds": old["minutes"] * 60}


def _named(old: Document) -> Document:
    return old | {"names": [old["name"]]}


class Lap(Kept, frozen=True, kw_only=True):
    """Of format 3: first in minutes, then with one name."""

    upgrades: ClassVar[tuple[Upgrade, ...]] = (_in_seconds, _named)
    seconds: int
    names: list[str]
    wind: float = 0.0  # a later field: it has a default, and needs no format
    format: int = 3


class Race(Kept, frozen=True, kw_only=True):
    """Holds others, of formats of their own."""

    best: Lap | None
    laps: list[Lap]


LAP = Lap(seconds=120, names=["ann"])


@pytest.mark.parametrize(
    "old",
    [
        {"minutes": 2, "name": "ann"},
        {"format": 1, "minutes": 2, "name": "ann"},
        {"format": 2, "seconds": 120, "name": "ann"},
        {"format": 3, "seconds": 120, "names": ["ann"], "wind": 0.0, "of a later version": 1},
    ],
)
def test_every_older_document_is_read_and_inside_others_too(old: Document) -> None:
    assert formats.read(msgspec.json.encode(old), Lap, "x") == LAP
    race = msgspec.json.encode({"best": old, "laps": [old, {"format": 3, **msgspec.to_builtins(LAP)}]})
    assert formats.read(race, Race, "x") == Race(best=LAP, laps=[LAP, LAP])
    assert formats.read(b'{"best": null, "laps": []}', Race, "x") == Race(best=None, laps=[])


@pytest.mark.parametrize("newer", [{"format": 4}, {"format": "next"}, {"format": None}])
def test_a_newer_document_is_refused_wherever_it_is(newer: Document) -> None:
    for content, kind in ((newer, Lap), ({"best": newer, "laps": []}, Race), ({"best": None, "laps": [newer]}, Race)):
        with pytest.raises(FormatError, match=r"Lap 1a2b is of format .*, and this everfit reads formats up to 3: "):
            formats.read(msgspec.json.encode(content), kind, "1a2b")


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"format": 3}', b'{"format": 3, "seconds": "x", "names": []}'])
def test_a_damaged_document_is_told_with_its_name(content: bytes) -> None:
    with pytest.raises(FormatError, match=r"Lap 1a2b cannot be read .*restore it from a backup"):
        formats.read(content, Lap, "1a2b")


@pytest.mark.parametrize("kind", [Lap, Race, Signature, Version])
def test_what_is_written_is_of_the_newest_format(kind: type[Kept]) -> None:
    defaults = {field.name: field.default for field in msgspec.structs.fields(kind)}
    assert defaults["format"] == len(kind.upgrades) + 1
    assert b'"format":3' in msgspec.json.encode(LAP)
