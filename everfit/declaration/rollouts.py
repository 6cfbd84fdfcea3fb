"""How what passes the gate takes over: the roles that versions have, and the version that answers a request."""

from collections.abc import Collection
from typing import Any, ClassVar, Literal, get_args

from everfit.declaration.part import Part, call_fault

Role = Literal["champion", "challenger", "shadow"]
ROLES: tuple[Role, ...] = get_args(Role)
ANSWERING: tuple[Role, ...] = ("champion", "challenger")  # clients get their answers; those of other roles are logged alone


class Rollout(Part):
    """Who serves beside the champion. A subclass names the ``roles`` that serving loads, and writes :meth:`answering`.

    A loaded version whose role is not among :data:`ANSWERING` answers every request along, after the client has its answer.
    """

    roles: ClassVar[tuple[Role, ...]] = ("champion", "shadow")

    def answering(self, request_id: str, loaded: Collection[Role]) -> Role:  # noqa: ARG002
        """The role that answers all rows of a request, by its first id: the same for the same id in every process.

        Args:
            request_id: of the request's first row.
            loaded: the roles of which a version is loaded.

        Returns:
            One of these that is among :data:`ANSWERING`; where it is no such role, the champion answers.
        """
        return "champion"


class Straight(Rollout):
    """What passes the gate becomes champion at once."""


def rollout_fault(rollout: Any) -> str:
    """Why an object cannot be a rollout; empty where it can."""
    if not isinstance(rollout, Rollout):
        return f"{rollout!r} is no rollout; write a class on everfit.Rollout, and give an object of it"
    name, roles = type(rollout).__name__, rollout.roles
    if not isinstance(roles, tuple) or roles[:1] != ("champion",) or not set(roles) <= set(ROLES):
        return f"{name}.roles is {roles!r}; it is a tuple that begins with 'champion', of {', '.join(ROLES)}"
    fault = call_fault(rollout.answering, "request_id", "loaded")
    return f"{name}.answering takes other arguments than (request_id, loaded): {fault}" if fault else ""
