"""Which process lacks a package of a recipe: trainings here, or serving, where its versions answer by that package."""

import sys
from collections.abc import Mapping

from everfit.declaration.discovery import load_models
from everfit.declaration.recipe_imports import Lack, lacking
from everfit.doctor.connections import Check
from everfit.environment.requirements import NAME, requirements_file, unmet
from everfit.environment.settings import models_package
from everfit.errors import DeclarationError


def package_checks(environ: Mapping[str, str]) -> list[Check]:
    """What this environment lacks of the models' requirements and of what their candidates import; none where all is there."""
    package = models_package(environ)
    try:
        models = load_models(package)
    except DeclarationError:  # which another check reports
        return []
    file = requirements_file(package)
    asked = [
        Check("packages", f"{file} asks for {what} in {sys.prefix}", f"run `pip install -c constraints.txt -r {file}`")
        for what in (unmet(file) if file else [])
    ]
    return [*asked, *map(_lack, lacking(models))]


def _lack(lack: Lack) -> Check:
    said = f"trainings in {sys.prefix} lack {lack.package}, and set it aside"
    serving = "so does serving there" if lack.answering else "serving does not need it: its graph answers"
    install = f"install it there, and name it in {NAME} beside the models, from which image and `make setup` install"
    return Check(f"candidate {lack.recipe} of {lack.model}", f"{said}; {serving}", install)
