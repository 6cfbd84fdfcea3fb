"""Whether the monitoring loop uses the same parts as this command, from what its passes record."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from everfit.doctor.connections import Check
from everfit.errors import ServiceError
from everfit.stack.parts_in_use import PARTS, Uses, differences, uses_of
from everfit.store import heartbeats, log_state
from everfit.store.database import create_engine, reachable
from everfit.store.heartbeats import SENSOR, Heartbeat
from everfit.topics.events import PREDICTIONS

SAME = "give the code location and this command the same addresses"


def loop_check(ticked_at: datetime, addresses: Mapping[str, str]) -> Check | None:
    """Compare the newest pass with the newest tick, and the parts it uses with the addresses of this command.

    Args:
        ticked_at: when the sensor's last successful tick began, by Dagster.
        addresses: by the names of the settings.

    Returns:
        The check; None where the database does not answer, which another check reports.
    """
    engine = create_engine(addresses["database_url"])
    try:
        with reachable(engine), engine.connect() as connection:
            beat, log_id = heartbeats.newest(connection).get(SENSOR), log_state.log_id(connection, PREDICTIONS)
    except (ServiceError, sa.exc.ProgrammingError):
        return None
    finally:
        engine.dispose()
    if beat is None or beat.at < ticked_at:
        problem = f"{SENSOR} ticked at {ticked_at:%Y-%m-%d %H:%M:%S} UTC, but no pass has written to this database since"
        return Check("loop", problem, SAME)
    split = _split(beat, log_id, addresses)
    return Check("loop", f"it works with {'; with '.join(split)}", SAME) if split else Check("loop", _passed(beat))


def _split(beat: Heartbeat, log_id: str | None, addresses: Mapping[str, str]) -> list[str]:
    """The parts that differ, of those that have an identity."""
    identities = {**beat.identities, **({"kafka": log_id} if log_id else {})}
    of_loop = Uses({name: beat.addresses[name] for name in identities if name in beat.addresses}, identities)
    of_command = uses_of({name: addresses[name] for name in PARTS if name in addresses})
    shared = {name: address for name, address in of_loop.addresses.items() if name in of_command.identities}
    return differences(of_command, Uses(shared, identities))


def _passed(beat: Heartbeat) -> str:
    return f"its last pass was {beat.age_seconds:.0f} s ago, with the Postgres, Kafka and MLflow of this command"
