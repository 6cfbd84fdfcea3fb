"""``everfit down``."""

from everfit.environment.settings import home_folder


def down() -> None:
    """End what `everfit up` started, with all that it left behind. State is kept; the embedded broker's log is not."""
    from everfit.stack.supervisor import Stack

    home = home_folder()
    if not home.exists():
        print(f"nothing was ever up in {home}")
        return
    ended = Stack(home).down()
    print(f"ended {', '.join(ended)}" if ended else f"nothing was up in {home}")
