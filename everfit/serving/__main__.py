"""``python -m everfit.serving --host 127.0.0.1 --port 8000``: serve the declared models until told to stop."""

import argparse
import logging
import os
import sys

import uvicorn

from everfit.deployment import Deployment
from everfit.errors import EverfitError
from everfit.events import PREDICTIONS
from everfit.serving.app import create_app
from everfit.serving.metrics import Metrics
from everfit.serving.outlet import KafkaOutlet
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.roster import Roster
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.serving.versions import LedgerVersions
from everfit.serving.views import Views
from everfit.store.lookup import Lookup

GRACE_SECONDS = 10
# The registry is asked every second anyway; MLflow's own minutes of retries would only delay the next answer, and the end.
MLFLOW_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def main() -> None:
    """Build what serving needs and run it; SIGTERM and SIGINT end it once what is under way is answered and logged."""
    parser = argparse.ArgumentParser(prog="python -m everfit.serving", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every address whole, secrets in it too
    for variable, value in MLFLOW_PATIENCE.items():
        os.environ.setdefault(variable, value)
    try:
        deployment = Deployment.load()
        app = create_app(build(deployment), deployment.lake, deployment.settings.token, deployment)
    except EverfitError as error:
        sys.exit(f"everfit.serving: {error}")
    try:
        uvicorn.run(app, host=arguments.host, port=arguments.port, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    finally:
        deployment.close()


def build(deployment: Deployment) -> Service:
    """The service of a deployment; its log takes up at once what an earlier process left in the spool."""
    outlet = KafkaOutlet(deployment.settings.kafka, PREDICTIONS)
    spool = Spool(deployment.settings.home / "spool" / f"{PREDICTIONS}.jsonl")
    models = deployment.models
    views = Views(models, deployment.engine)
    roster = Roster(models, LedgerVersions(deployment.engine, deployment.registry, deployment.lake), views.remember)
    return Service(models, roster, views, Lookup(deployment.engine), PredictionLog(outlet, spool), Metrics())


if __name__ == "__main__":
    main()
