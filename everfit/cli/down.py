"""``everfit down``."""

import typer

from everfit.environment.settings import home_folder


def down() -> None:
    """Stop everything that `everfit up` started. State is kept, except for the embedded broker's log."""
    from everfit.stack.supervisor import Stack

    home = home_folder()
    if not home.exists():
        typer.echo(f"nothing was ever up in {home}")
        return
    ended = Stack(home).down()
    typer.echo(f"ended {', '.join(ended)}" if ended else f"nothing was up in {home}")
