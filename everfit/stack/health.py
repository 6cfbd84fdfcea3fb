"""Health checks by protocol: each returns whether a service answers, and never raises."""

from everfit.environment import http_client
from everfit.errors import ServiceError
from everfit.store.channels import LISTENER

TIMEOUT_SECONDS = 3.0


def http(url: str) -> bool:
    """Whether a GET is answered with 200."""
    import httpx

    try:
        return http_client.get(url, timeout=TIMEOUT_SECONDS).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def grpc(address: str, service: str) -> bool:
    """Whether a gRPC server reports ``service`` as serving, by the standard health protocol."""
    from grpc import RpcError, insecure_channel
    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
    from grpc_health.v1.health_pb2_grpc import HealthStub

    with insecure_channel(address) as channel:
        try:
            response = HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=TIMEOUT_SECONDS)
        except RpcError:
            return False
    return bool(response.status == HealthCheckResponse.SERVING)


def comparators(database_url: str) -> bool:
    """Whether a process listens for comparators that are to be fitted, at the Postgres of an SQLAlchemy URL."""
    import psycopg

    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    try:
        with psycopg.connect(database_url.replace("+psycopg", "", 1), connect_timeout=int(TIMEOUT_SECONDS)) as connection:
            row = connection.execute(query, [LISTENER]).fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and row[0] > 0


def daemon(webserver: str, since: float) -> bool:
    """Whether Dagster's daemon, started at ``since`` (Unix time), has sent a heartbeat for its sensors."""
    return heartbeats(webserver).get("SENSOR", 0.0) >= since


def heartbeats(webserver: str) -> dict[str, float]:
    """Last heartbeat (Unix time) of each of Dagster's daemons by type; empty where the webserver does not answer."""
    from everfit.dagster_api.client import GraphQL

    query = "{instance{daemonHealth{allDaemonStatuses{daemonType lastHeartbeatTime}}}}"
    try:
        with GraphQL(webserver, TIMEOUT_SECONDS) as dagster:
            statuses = dagster.execute(query)["instance"]["daemonHealth"]["allDaemonStatuses"]
    except ServiceError:
        return {}
    return {status["daemonType"]: status["lastHeartbeatTime"] or 0.0 for status in statuses}
