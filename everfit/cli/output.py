"""How every command prints its document."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer


def print_json(document: Any) -> None:
    """Print one JSON document in one line on stdout; times as RFC 3339 in UTC, dataclasses and structs as objects."""
    import msgspec

    typer.echo(msgspec.json.encode(document).decode())


def print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as CSV with a header on stdout; what is no text, number or time is JSON. No rows print nothing."""
    import csv
    import sys

    import msgspec

    if not rows:
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: msgspec.json.encode(v).decode() if isinstance(v, dict | list) else v for name, v in row.items()})
