"""``everfit comparators``: fit what champions are held against."""

import typer


def comparators() -> None:
    """Fit the comparators that decisions ask for, until SIGTERM or Ctrl-C; `everfit up` runs it.

    A policy such as Regret holds the champion against a model that is always fresh. It waits with little memory; a worker
    process starts when one is asked for, and ends a minute after the last. Several share the work.
    """
    import logging
    import signal
    import sys

    from everfit.environment.settings import Settings
    from monitors.comparator_service import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(Settings.load().database_url)
    except KeyboardInterrupt:
        typer.echo("stopped; what waits to be fitted is kept", err=True)
