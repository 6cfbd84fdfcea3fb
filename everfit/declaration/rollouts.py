"""How what passes the gate takes over: the roles that versions have, and the version that answers a request."""

from collections.abc import Collection
from typing import ClassVar, Literal, get_args

from everfit.declaration.part import Part

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
            loaded: the roles of which a version is loaded; where the answer is none of them, the champion answers.
        """
        return "champion"


class Straight(Rollout):
    """What passes the gate becomes champion at once."""
