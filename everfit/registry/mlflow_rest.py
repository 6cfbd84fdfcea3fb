"""MLflow over its REST interface (https://mlflow.org/docs/latest/rest-api.html), without its client.

It takes milliseconds and fails after seconds, so that a command or a tick of the sensor may ask it.
"""

import os
from typing import Any

from everfit.environment import http_client
from everfit.errors import ServiceError

TIMEOUT_SECONDS = 5.0


def read(mlflow: str, path: str, **parameters: str) -> Any:
    """The document at a path such as ``runs/get``; None where MLflow has nothing of that name.

    Raises:
        ServiceError: when it does not answer, or refuses.
    """
    return _asked(mlflow, "GET", path, params=parameters)


def write(mlflow: str, path: str, body: dict[str, Any]) -> None:
    """Send a document; raises as :func:`read`, also where MLflow has nothing of that name."""
    if _asked(mlflow, "POST", path, json=body) is None:
        raise ServiceError(f"MLflow at {mlflow} does not know what {path} of {body} names")


def _asked(mlflow: str, method: str, path: str, **options: Any) -> Any:
    import httpx

    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    login = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    try:
        with http_client.client(mlflow, timeout=TIMEOUT_SECONDS) as client:
            answer = client.request(method, f"/api/2.0/mlflow/{path}", auth=login, **options)
        document = answer.json()
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise ServiceError(f"MLflow does not answer at {mlflow} ({error!r}); see `everfit doctor`") from error
    if document.get("error_code") == "RESOURCE_DOES_NOT_EXIST":
        return None
    if answer.status_code != httpx.codes.OK:
        raise ServiceError(f"MLflow at {mlflow} answers {answer.status_code}: {answer.text[:200]}")
    return document
