"""``everfit features``: the catalogue of features."""

from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.review.feature_catalogue import CataloguedFeature


def features(
    name: Annotated[str | None, typer.Argument(metavar="[MODEL|NAME]", help="A declared model, or a feature of any.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the features as one JSON document.")] = False,
) -> None:
    """List the features of the declared models, with their values in the recorded rows. Nothing has to run.

    Null shares and ranges are those of a sample of the recorded requests, as `everfit check` takes it.
    """
    from everfit.declaration.discovery import load_models
    from everfit.errors import FeatureError
    from everfit.review.feature_catalogue import catalogue
    from everfit.review.recorded_data import read

    models = load_models()
    named = [model for model in models.values() if name in (None, model.name)]
    chosen = named or [model for model in models.values() if name in dict(model.features)]
    if not chosen:
        raise FeatureError(f"no model and no feature {name!r}; `everfit features` lists all of {', '.join(models)}")
    found: list[CataloguedFeature] = []
    for model in chosen:
        data, remarks = read(model)
        if data is None:
            typer.echo(f"{model.name}: its recorded rows cannot be read, see `everfit check`: {remarks[-1].what}", err=True)
        entries = catalogue(models, model, data.features if data else None)
        found += [entry for entry in entries if named or entry.name == name]
    if as_json:
        print_json([entry._asdict() for entry in found])
        return
    for entry in found:
        _print(entry)


def _print(entry: "CataloguedFeature") -> None:
    unit = f" ({entry.unit})" if entry.unit else ""
    origin = f"{entry.definition} (view {entry.view})" if entry.view else entry.definition
    typer.echo(f"{entry.model}.{entry.name}  {entry.kind}  {entry.description or 'no description'}{unit}")
    published = f"; published {entry.delay} after its event" if entry.delay else ""
    typer.echo(f"    {origin}{published}")
    typer.echo(f"    owned by {', '.join(entry.owners) or 'nobody'}; used by {', '.join(entry.used_by)}")
    if entry.null_share is not None:
        typer.echo(f"    {entry.null_share:.1%} null{entry.extent and f'; {entry.extent}'}")
