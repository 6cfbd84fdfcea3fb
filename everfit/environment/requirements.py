"""``requirements.txt`` in the folder of the models: what their recipes need, installed into the image and by ``make setup``."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

NAME = "requirements.txt"


def requirements_file(package: str) -> Path | None:
    """The file of a package of models; None where it has none."""
    spec = find_spec(package)
    files = [Path(folder) / NAME for folder in (spec.submodule_search_locations or [] if spec else [])]
    return next((file for file in files if file.is_file()), None)


def unmet(file: Path) -> Iterator[str]:
    """What is said of each requirement that this environment does not meet, such as ``lightgbm>=5, installed is 4.7``.

    Lines that are no names of packages, such as options and addresses, are pip's to judge.
    """
    for line in file.read_text().splitlines():
        try:
            requirement = Requirement(line.partition(" #")[0].strip())
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield f"{requirement}, which is not installed"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"{requirement}, and installed is {installed}"
