"""``everfit train MODEL --dry``: candidates with other settings, tried here and never promoted."""

import logging
from collections.abc import Sequence
from uuid import uuid4

import typer

from everfit.cli.output import print_json
from everfit.errors import LaunchError


def settings_of(texts: Sequence[str]) -> dict[str, str]:
    """The values of ``--set CANDIDATE.SETTING=VALUE``, by candidate and setting.

    Raises:
        LaunchError: when one is not written so.
    """
    if wrong := next((text for text in texts if "=" not in text), None):
        raise LaunchError(f"--set {wrong}: write CANDIDATE.SETTING=VALUE, such as mlp.learning_rate=1e-3")
    return dict(text.split("=", 1) for text in texts)


def dry_run(name: str, texts: Sequence[str], *, as_json: bool) -> None:
    """Train with other values, and print the verdict and where it is tracked."""
    import msgspec

    from everfit.declaration.discovery import find_model
    from everfit.pipeline.chosen_trackers import chosen_trackers, own_trackers
    from everfit.pipeline.experiments import experiment, with_settings
    from everfit.pipeline.trackers import TrackedRun, Trackers
    from everfit.replay.bootstrap import bootstrap
    from everfit.runtime import Runtime

    with Runtime.load() as runtime:
        model = with_settings(find_model(runtime.models, name), settings_of(texts))
        logger = logging.getLogger(__name__)
        makers = chosen_trackers(own_trackers(runtime.settings), logger)
        trackers, failed = Trackers(makers, TrackedRun(f"experiment-{uuid4().hex[:8]}", name), logger), True
        try:
            bootstrap(runtime, model)
            done = experiment(runtime, model, trackers)
            pages, failed = trackers.pages(), False
        finally:
            trackers.end(failed=failed)
    if as_json:
        print_json(msgspec.to_builtins(done) | {"tracked": pages})
        return
    for compared in done.verdict.compared:
        figures = ", ".join(f"{figure} {value:.4f}" for figure, value in done.metrics.get(compared.name, {}).items())
        passed = "would pass the gate" if compared.passed else "would not pass the gate"
        typer.echo(f"{name}: {compared.name} {passed}: {compared.reason}{f' ({figures})' if figures else ''}")
    typer.echo(f"nothing was promoted; tracked by {', '.join(f'{each}: {page}' for each, page in pages.items()) or 'nothing'}")
