"""``everfit ingest``: read the prediction log as a member of a consumer group."""

from typing import Annotated

import typer

from everfit.cli.output import print_json

BEAT_SECONDS = 10.0


def ingest(
    group: Annotated[str, typer.Option(help="The consumer group whose members share the partitions.")] = "everfit.ingest",
    skip: Annotated[
        str | None,
        typer.Option(
            metavar="TOPIC:PARTITION", help="Read nothing; skip the records of a set-aside partition that cannot be read."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="At the end, print the counts as one JSON document.")] = False,
) -> None:
    """Read the prediction log until SIGTERM or Ctrl-C, and judge the windows that close. Several processes share the log.

    For volumes that are too large for the sensor: it leaves the log to these processes, and launches the runs they request.
    With --skip, one partition moves on to the first record that can be read, and the gap is recorded.
    """
    if skip is not None:
        _skip(skip, as_json)
        return
    import logging
    import signal
    import threading

    from everfit.alerts.heartbeat import Heart
    from everfit.pipeline.reconciliation import reconcile
    from everfit.runtime import Runtime
    from everfit.store.heartbeats import INGEST
    from monitors.group_reader import ingest as take_part

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every address whole, secrets in it too
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Runtime.load() as runtime:
        models = runtime.models
        logging.getLogger(__name__).info("reading for %s as a member of %s", ", ".join(models), group)
        heart = Heart(runtime.engine, INGEST, runtime.settings, every_seconds=BEAT_SECONDS)

        def follow(names: list[str]) -> None:  # aside, so that reading never waits for MLflow
            threading.Thread(target=reconcile, args=(runtime, names), daemon=True).start()

        engine, kafka = runtime.engine, runtime.settings.kafka
        read = take_part(engine, runtime.lake, kafka, models, stop, group=group, beat=heart.beat, crowned=follow)
    counts = {
        "predictions": read.predictions,
        "outcomes": read.outcomes,
        "late": read.late,
        "dead_letters": read.dead_letters,
        "windows": len({(judged.model, judged.window_end) for judged in read.judgements}),
    }
    print_json(counts) if as_json else typer.echo(_sentence(counts))


def _skip(name: str, as_json: bool) -> None:
    """Skip the unreadable records of one partition, and print which offsets are lost."""
    from kafka import TopicPartition

    from everfit.runtime import Runtime
    from everfit.store.database import reachable
    from monitors.unreadable_records import skip

    topic, _, number = name.rpartition(":")
    if not topic or not number.isdecimal():
        raise typer.BadParameter(f"{name!r} is not TOPIC:PARTITION, such as everfit.predictions:0", param_hint="--skip")
    with Runtime.load() as runtime, reachable(runtime.engine):
        gap = skip(runtime.engine, runtime.settings.kafka, TopicPartition(topic, int(number)))
    document = {
        "topic": gap.topic,
        "partition": gap.partition,
        "first_offset": gap.first,
        "next_offset": gap.next,
        "records": gap.records,
    }
    lost = f"{name}: offsets {gap.first} to {gap.next - 1} are lost; reading goes on at {gap.next}"
    print_json(document) if as_json else typer.echo(lost)


def _sentence(counts: "dict[str, object]") -> str:
    return "read " + ", ".join(f"{name.replace('_', ' ')}: {count or 0}" for name, count in counts.items())
