"""``everfit check``: declarations against their data, before anything is started."""

from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.review.declaration_review import Review


def check(
    model: Annotated[str | None, typer.Argument(help="A declared model; all of them where none is named.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reviews as one JSON document.")] = False,
) -> None:
    """Hold a declaration against the recorded rows of its sources. Nothing has to run, and nothing is written.

    Exit code 0 says that there is no error; warnings are for you to decide.
    """
    from everfit.declaration.discovery import broken_modules, find_model, load_models
    from everfit.review.declaration_review import review

    models = load_models()
    reviews = [review(each) for each in ([find_model(models, model)] if model else models.values())]
    broken = {} if model else dict(broken_modules(models))
    if as_json:
        print_json({"models": [each._asdict() for each in reviews], "broken": broken})
    else:
        for each in reviews:
            _print(each)
        for module, why in broken.items():
            typer.echo(f"error    {module}: {why}")
    if broken or any(each.has_errors for each in reviews):
        raise typer.Exit(1)


def _print(review: "Review") -> None:
    typer.echo(f"{review.model}: {len(review.remarks)} remarks")
    for severity in ("error", "warning", "note"):
        for remark in review.remarks:
            if remark.severity == severity:
                typer.echo(f"{severity:<8} {remark.subject}: {remark.what}; {remark.todo}")
    for month, label in review.label_by_month.items():
        shown = f"{label:.4g}" if isinstance(label, float) else ", ".join(f"{name} {rows}" for name, rows in label.items())
        typer.echo(f"         label in {month}: {shown}")
    if review.expected:
        rows, megabytes, seconds = review.expected
        fits = ", ".join(f"{name} about {each:.0f} s" for name, each in seconds.items())
        typer.echo(f"         first training: {rows:,} rows, {megabytes:.1f} MB; by a fit on a part of them: {fits or 'none'}")
