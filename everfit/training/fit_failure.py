"""What a recipe raised in its process, raised again: an error of everfit's or the system's as it is, others by their name."""

from everfit import errors
from everfit.training.fit_worker import Failure


def raised(failure: Failure) -> Exception:
    """The error, with the traceback of its process as a note."""
    error = _kind(failure)(failure.message)
    if isinstance(error, OSError):
        error.errno = failure.errno
    error.add_note(failure.traceback)
    return error


def _kind(failure: Failure) -> type[Exception]:
    if failure.module == errors.__name__:
        known: type[Exception] = getattr(errors, failure.kind)
        return known
    return type(failure.kind, (Exception if failure.errno is None else OSError,), {})
