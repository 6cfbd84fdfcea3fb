"""How every command prints its document."""

from typing import Any

import typer


def print_json(document: Any) -> None:
    """Print one JSON document in one line on stdout; times as RFC 3339 in UTC, dataclasses and structs as objects."""
    import msgspec

    typer.echo(msgspec.json.encode(document).decode())
