"""What a training is made with: commit, code, packages, machine, seeds and the whole declaration. It decides nothing."""

import ast
import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec

from everfit.declaration import Model
from everfit.environment.formats import Kept
from everfit.environment.git_commit import GitCommit, git_commit
from everfit.pipeline.code_versions import STAGES, fit_version, stage_version
from everfit.pipeline.declaration_document import declaration_document, declaration_id, declared_code
from everfit.pipeline.source_module import source_file, source_module

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
INSTALLED = ("site-packages", "dist-packages")
OWN = "everfit"


class Environment(Kept, frozen=True, kw_only=True):
    """Interpreter, machine, threads and installed packages of a process; nothing that a secret may be in."""

    python: str
    system: str  # with the C library, which answers differ by
    kernel: str
    machine: str
    cores: int
    threads: dict[str, str]  # the variables that are set
    packages: dict[str, str]


class Provenance(Kept, frozen=True, kw_only=True):
    """What a training was made with.

    ``modules`` are the user's modules that the declaration uses, each with the hash of its file; ``stages`` are the versions
    of the code of each stage, ``fits`` those of what each candidate's fit rests on (none in a record of an older version);
    ``seeds`` are the candidates'; ``declaration`` is all of it, by its id.
    """

    commit: GitCommit
    modules: dict[str, str]
    stages: dict[str, str]
    seeds: dict[str, int]
    environment: Environment
    declaration: dict[str, Any]
    declaration_id: str
    fits: dict[str, str] = msgspec.field(default_factory=dict)


def provenance(model: Model) -> Provenance:
    """What a training of this process is made with."""
    document = declaration_document(model)
    file = source_file(model.history.__module__)
    return Provenance(
        commit=git_commit(Path(file).parent if file else Path.cwd()),
        modules=user_modules(model),
        stages={stage: stage_version(model, stage) for stage in STAGES},
        seeds={each.name: each.seed for each in model.candidates},
        environment=environment(),
        declaration=document,
        declaration_id=declaration_id(document),
        fits={each.name: fit_version(model, each) for each in model.candidates},
    )


def tags(made: Provenance) -> dict[str, str]:
    """What a run and a version are told apart by."""
    return {
        "everfit.commit": made.commit.id or made.commit.note,
        "everfit.tree": {True: "clean", False: "changed", None: "not known"}[made.commit.is_clean],
        "everfit.declaration": made.declaration_id,
        "everfit.python": made.environment.python,
        "everfit.platform": f"{made.environment.system}, {made.environment.machine}",
        "everfit.seeds": ", ".join(f"{name} {seed}" for name, seed in made.seeds.items()),
    }


def documents(made: Provenance) -> dict[str, dict[str, Any]]:
    """The files that a run is recorded with, by name."""
    code = {"commit": made.commit, "modules": made.modules, "stages": made.stages, "seeds": made.seeds}
    return {
        "environment.json": msgspec.to_builtins(made.environment),
        "code.json": msgspec.to_builtins(code),
        "declaration.json": made.declaration,
    }


def environment() -> Environment:
    """That of this process."""
    return Environment(
        python=platform.python_version(),
        system=" ".join(filter(None, [platform.system(), *platform.libc_ver()])),
        kernel=platform.release(),
        machine=platform.machine(),
        cores=os.cpu_count() or 1,
        threads={name: os.environ[name] for name in THREADS if name in os.environ},
        packages=_packages(),
    )


def user_modules(model: Model) -> dict[str, str]:
    """The modules of the declaration's functions and classes, and what these import of their packages: hash of each file.

    Installed packages are left out, as their versions are recorded.
    """
    waiting = [code.__module__ for code in declared_code(model)]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        file = source_file(name)
        if name in found or file is None or _is_installed(name, file):
            continue
        found[name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        waiting += _imported(name)
    return dict(sorted(found.items()))


def _imported(name: str) -> Iterator[str]:
    """The modules of its own package that a module imports, wherever in it."""
    module, package = source_module(name), name.partition(".")[0]
    for node in ast.walk(module.tree) if module else ():
        for path in module.imported(node).values() if module else ():
            if path.partition(".")[0] == package:
                yield from (path, path.rpartition(".")[0] or path)


def _is_installed(name: str, file: str) -> bool:
    top = name.partition(".")[0]
    return top == OWN or top in sys.stdlib_module_names or not set(INSTALLED).isdisjoint(Path(file).parts)


@cache
def _packages() -> dict[str, str]:
    """Name and version of those installed; of several with one name the first, which is imported."""
    found: dict[str, str] = {}
    for each in distributions():
        if name := each.metadata["Name"]:  # what is left of a broken installation has none
            found.setdefault(name, each.version)
    return dict(sorted(found.items()))
