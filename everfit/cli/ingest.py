"""``everfit ingest``: read the prediction log as a member of a consumer group."""

from typing import Annotated

import typer


def ingest(
    group: Annotated[str, typer.Option(help="The consumer group whose members share the partitions.")] = "everfit.ingest",
    as_json: Annotated[bool, typer.Option("--json", help="At the end, print what was done as one JSON document.")] = False,
) -> None:
    """Read the prediction log until SIGTERM or Ctrl-C, and judge the windows that close; run several to share its partitions.

    For volumes that outgrow the sensor, which leaves the log to it and launches what it asks for.
    """
    import logging
    import signal
    import threading

    import msgspec

    from everfit.deployment import Deployment
    from monitors.ingest import ingest as take_part

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.ERROR)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    deployment = Deployment.load()
    try:
        models = deployment.models
        logging.getLogger(__name__).info("reading for %s as a member of %s", ", ".join(models), group)
        seen = take_part(deployment.engine, deployment.lake, deployment.settings.kafka, models, stop, group=group)
    finally:
        deployment.close()
    told = {
        "predictions": seen.predictions,
        "outcomes": seen.outcomes,
        "late": seen.late,
        "dead_letters": seen.dead_letters,
        "windows": len({(judged.model, judged.window_end) for judged in seen.judgements}),
    }
    typer.echo(msgspec.json.encode(told).decode() if as_json else _sentence(told))


def _sentence(told: "dict[str, object]") -> str:
    return "read " + ", ".join(f"{name.replace('_', ' ')}: {count or 0}" for name, count in told.items())
