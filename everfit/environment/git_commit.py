"""The commit that a folder's files are of, as git says it; where it cannot, why."""

import subprocess
from pathlib import Path

from everfit.environment.formats import Kept

LIMIT_SECONDS = 5.0  # of a call of git: no training waits for a slow disk


class GitCommit(Kept, frozen=True, kw_only=True):
    """A commit's id and whether the files are as it has them; where either is not known, ``note`` says why."""

    id: str = ""
    is_clean: bool | None = None
    note: str = ""

    @property
    def words(self) -> str:
        """The commit for a person, such as ``1f0c3a9, and files that it does not have``."""
        if not self.id:
            return self.note or "not recorded"
        state = {True: "", False: ", and changes that it does not have", None: f" ({self.note})"}[self.is_clean]
        return f"{self.id[:12]}{state}"


def git_commit(folder: Path) -> GitCommit:
    """The commit of a folder; none, with the reason, where it is not under git, or git is missing or slow.

    The reason goes on record: neither the folder nor git's own words, which name it, are in it.
    """
    try:
        found = _git(folder, "rev-parse", "HEAD")
        if found.returncode:
            return GitCommit(note="no commit of git")
        commit, changed = found.stdout.strip(), _git(folder, "status", "--porcelain")
    except FileNotFoundError:
        return GitCommit(note="git is not installed")
    except subprocess.TimeoutExpired:
        return GitCommit(note=f"git gave no answer within {LIMIT_SECONDS:g} s")
    if changed.returncode:
        return GitCommit(id=commit, note="changes are not known")
    return GitCommit(id=commit, is_clean=not changed.stdout)


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
