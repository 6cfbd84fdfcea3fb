"""Who it is that a command acts for."""

import getpass

import typer


def person(by: str | None) -> str:
    """The name given by ``--by``, or that of the system's user.

    Raises:
        typer.BadParameter: when neither is there, as in a container that runs under a number.
    """
    try:
        return by or getpass.getuser()
    except (KeyError, OSError):
        raise typer.BadParameter("this system does not know who you are; name yourself by --by NAME") from None
