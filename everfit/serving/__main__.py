"""``python -m everfit.serving --host 127.0.0.1 --port 8000``: serve the declared models until the process is stopped."""

import argparse
import logging
import os
import sys

import uvicorn

from everfit.errors import EverfitError
from everfit.runtime import Runtime
from everfit.serving.app import create_app
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.serving.version_source import LedgerVersions
from everfit.topics.events import PREDICTIONS

GRACE_SECONDS = 10
# The registry is read every second anyway: MLflow's retries, which take minutes, would only delay the next reading and the end.
MLFLOW_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def main() -> None:
    """Build what serving needs and run it; SIGTERM and SIGINT end it once what is under way is answered and logged."""
    parser = argparse.ArgumentParser(prog="python -m everfit.serving", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # each attempt to reconnect: serving logs what comes of it
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # likewise each attempt of MLflow's client
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every address whole, secrets in it too
    for variable, value in MLFLOW_PATIENCE.items():
        os.environ.setdefault(variable, value)
    try:
        with Runtime.load() as runtime:
            app = create_app(build(runtime), runtime.lake, runtime.settings.token, runtime)
            uvicorn.run(
                app, host=arguments.host, port=arguments.port, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
            )
    except EverfitError as error:
        sys.exit(f"everfit.serving: {error}")


def build(runtime: Runtime) -> Service:
    """The service of a deployment; its log takes up at once what an earlier process left in the spool."""
    producer = KafkaLogProducer(runtime.settings.kafka, PREDICTIONS)
    spool = Spool(runtime.settings.home / "spool" / f"{PREDICTIONS}.jsonl")
    models = runtime.models
    views = Views(models, runtime.engine)
    cache = ModelCache(models, LedgerVersions(runtime.engine, runtime.registry, runtime.lake), views.remember)
    return Service(models, cache, views, Lookup(runtime.engine), PredictionLog(producer, spool), Metrics())


if __name__ == "__main__":
    main()
