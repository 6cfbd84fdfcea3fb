"""Where two documents differ, value by value."""

from collections.abc import Iterator
from typing import Any

from everfit.environment.formats import Kept

WIDTH = 80  # of a value in words


class Change(Kept, frozen=True, kw_only=True):
    """A value that differs: where it stands, such as ``candidates.mlp.epochs``, before and after; None where there is none."""

    at: str
    before: Any
    after: Any

    @property
    def words(self) -> str:
        """For a person, such as ``candidates.mlp.epochs: 40 → 60``."""
        return f"{self.at}: {_short(self.before)} → {_short(self.after)}"


def changes(before: Any, after: Any, at: str = "") -> Iterator[Change]:
    """What differs, in the order of the names; objects in a list are told apart by their ``name``, others by their number."""
    if before == after:
        return
    old, new = _named(before), _named(after)
    if old is None or new is None:
        yield Change(at=at, before=before, after=after)
        return
    for name in sorted({*old, *new}):
        yield from changes(old.get(name), new.get(name), f"{at}.{name}" if at else name)


def _named(value: Any) -> dict[str, Any] | None:
    """The parts of a value by name; None where it has none."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        names = [str(each.get("name", number)) if isinstance(each, dict) else str(number) for number, each in enumerate(value)]
        return dict(zip(names, value, strict=True))
    return None


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
