"""A folder with a drafted declaration and its table, tried before it stands: nothing is left half written."""

import importlib.util
import keyword
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from everfit.declaration import Model
from everfit.declaration.reserved_columns import LABEL
from everfit.drafting.column_guess import as_name, guess_columns
from everfit.drafting.declaration_text import Draft, declaration_text
from everfit.drafting.reading_text import Rows, rows_of
from everfit.drafting.roles import Roles, choose_roles
from everfit.drafting.spans import spans_of
from everfit.drafting.table_file import TableFile, read_table_file
from everfit.drafting.written import free
from everfit.errors import DeclarationError
from everfit.review.feature_review import LEAK, review_features, single_power
from everfit.review.label_review import review_labels
from everfit.review.recorded_data import read
from everfit.review.remark import Remark, some

OWN_NAMES = ("nw", "words", "asked_rows", "recorded_rows", "feature_view", "count", "mean", *keyword.kwlist)


class Project(NamedTuple):
    """What was written: the module ``file``, to be found as a model of ``package``. ``remarks`` are for a person."""

    file: Path
    package: str
    model: str
    remarks: list[str]


def draft_project(folder: Path, file: Path, asked: Mapping[str, str | None]) -> Project:
    """Draft a declaration of the file's rows into a new package in the folder, beside a copy of the file.

    Args:
        folder: is made where it is not there.
        file: the table.
        asked: the columns that a person chose, by role: ``time``, ``label``, ``entity``.

    Raises:
        SourceError: when the table cannot be read, or has no time or no label.
        DeclarationError: when the package is there already, or the rows have a fault for which `everfit check` would fail.
    """
    stem = as_name(file.name.partition(".")[0])
    package = _package(folder, stem)
    if (target := folder / package).exists():
        raise DeclarationError(f"{target} is there already, and stays as it is; name another folder, or take it away")
    table = read_table_file(file)
    guesses = guess_columns(table.frame)
    roles = choose_roles(table.frame, guesses, asked)
    model = as_name(roles.label.name if roles.label.name.startswith(f"{stem}_") else f"{stem}_{roles.label.name}")
    source = free(stem if stem not in OWN_NAMES else f"{stem}_rows", [*OWN_NAMES, model])
    spans, rows = spans_of(table.frame, roles), rows_of(table, guesses, roles)
    drafted = Draft(file.name, source, model, rows, roles, spans, _told_apart(rows))
    with _standing(folder), TemporaryDirectory(dir=folder, prefix=".init-") as temporary:
        made = Path(temporary) / package
        made.mkdir()
        (made / "__init__.py").touch()
        shutil.copyfile(file, made / file.name)
        remarks = _write(made / f"{model}.py", drafted)
        made.rename(target)
    return Project(target / f"{model}.py", package, model, [*table.remarks, *_told(table, roles), *remarks])


@contextmanager
def _standing(folder: Path) -> Iterator[None]:
    """The folder, which goes again where it was made for something that fails."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for each in missing:
            each.rmdir()
        raise


def _package(folder: Path, stem: str) -> str:
    """A name that no module has that would be found first."""
    hidden = stem in OWN_NAMES or (importlib.util.find_spec(stem) is not None and not (folder / stem).exists())
    return f"{stem}_models" if hidden else stem


def _told_apart(rows: Rows) -> dict[str, str]:
    """Columns that tell rows apart, and say nothing beside that."""
    names = [guess.name for guess in rows.columns if guess.is_distinct and guess.kind in ("Category", "Integer")]
    return {name: "each row has another" for name in names if name != rows.entity} | dict.fromkeys(
        rows.apart, "it tells rows apart"
    )


def _write(module: Path, draft: Draft) -> list[str]:
    """Write the declaration, hold it against its rows, and write it again without the inputs that give the label away.

    Raises:
        DeclarationError: when another fault is left, which only a person can mend.
    """
    module.write_text(declaration_text(draft), encoding="utf-8")
    model = _imported(module, draft.model)
    data, remarks = read(model)
    _require_no_error(draft, remarks)
    assert data is not None  # there was no error
    rows = data.features.filter(model.task.usable(data.features[LABEL].to_numpy()))
    inputs = [name for name, _ in model.features if name != model.entity]
    powers = {name: single_power(model, rows, name) for name in inputs} if rows.height else {}
    leaks = {name: f"alone it gives {power:.0%} of the label away; a leak?" for name, power in powers.items() if power > LEAK}
    remarks = [*review_labels(model, data.requests), *review_features(model, data)]
    _require_no_error(draft, (remark for remark in remarks if remark.subject.removeprefix("feature ") not in leaks))
    if leaks:
        module.write_text(declaration_text(draft._replace(left_out=draft.left_out | leaks)), encoding="utf-8")
    return [f"{name!r} is left out of the request: {why}" for name, why in leaks.items()]


def _require_no_error(draft: Draft, remarks: Iterable[Remark]) -> None:
    if errors := [remark for remark in remarks if remark.severity == "error"]:
        told = "; ".join(f"{remark.what.removeprefix(f'{remark.subject}, ')}; {remark.todo}" for remark in errors)
        raise DeclarationError(f"{draft.file} makes no declaration that runs, and nothing is written: {told}")


def _imported(module: Path, model: str) -> Model:
    spec = importlib.util.spec_from_file_location(f"everfit_draft_{model}", module)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    try:
        spec.loader.exec_module(made)
    finally:
        del sys.modules[spec.name]
    declared: Model = getattr(made, model)
    return declared


def _told(table: TableFile, roles: Roles) -> list[str]:
    """What was chosen, and what else might be meant."""
    chosen = {"time": roles.time.given, "label": roles.label.given, "entity": roles.entity.given if roles.entity else "none"}
    said = [
        f"{role}: {name}" + (f"; others might be it: {some(roles.others[role])} (--{role})" if roles.others[role] else "")
        for role, name in chosen.items()
    ]
    said.append(f"task: {roles.task}" + (f" of {len(roles.classes)} classes" if roles.classes else ""))
    if roles.time.is_naive:
        said.append(f"the times of {roles.time.given!r} name no zone, and are taken as UTC")
    if roles.label.nullable:
        said.append(f"{table.frame[roles.label.given].null_count()} rows have no label, and are not learnt from")
    return said
