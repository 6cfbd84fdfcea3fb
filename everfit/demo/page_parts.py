"""What the sections of the report are put together from."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[str], numeric: Iterable[str] = ()) -> str:
    """A table; the columns of ``numeric`` are aligned to the right."""
    titles = "".join(f'<th class="number">{name}</th>' if name in numeric else f"<th>{name}</th>" for name in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def row(cells: Sequence[str]) -> str:
    """A row of cells, which are markup already."""
    return f"<tr>{''.join(cells)}</tr>"


def day(moment: object) -> str:
    """A moment's day, as people write it."""
    return f"{moment:%-d %b %Y}"
