# What people and CI run. `make help` lists it.

SHELL := bash
VENV := .venv
READY := $(VENV)/.ready
REQUIREMENTS := $(wildcard $(subst .,/,$(or $(EVERFIT_MODELS),models))/requirements.txt)
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test test-kafka check interop bench-setup bench pictures

help:  ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s  %s\n", $$1, $$2 }'

setup: $(READY)  ## install everything into .venv, where it is missing or older than what it is made from

$(READY): pyproject.toml constraints.txt $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); everfit needs 3.11 or newer: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,models,dev]'
	$(if $(REQUIREMENTS),$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -r $(REQUIREMENTS))
	@touch $@

demo: setup  ## replay sixteen months of the electricity market through the whole loop; the report is .everfit/demo/report.html
	$(VENV)/bin/everfit demo $(if $(BROKER),--broker $(BROKER))

up: setup  ## start the stack with its state under .everfit/, and print its addresses
	$(VENV)/bin/everfit up

down: setup  ## stop what `make up` started
	$(VENV)/bin/everfit down

test: setup  ## unit, integration and end-to-end tests, on real services from wheels
	$(VENV)/bin/pytest -n 2 --dist loadfile

test-kafka: setup  ## the prediction log's tests on the Apache Kafka in KAFKA_HOME; needs Java 17 or later
	@test -d "$(KAFKA_HOME)/libs" || { echo "KAFKA_HOME is not set to a folder with libs/: unpack Apache Kafka 4 and name it" >&2; exit 1; }
	EVERFIT_TEST_BROKER=kafka $(VENV)/bin/pytest tests/integration/test_log.py tests/integration/test_kafka.py tests/integration/test_transactions.py tests/integration/test_codecs.py tests/integration/test_unsendable.py tests/integration/test_ingest.py tests/integration/test_serving_process.py tests/integration/test_drills.py

check: setup  ## style, format, types and layers
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

interop: setup  ## test with Keras on PyTorch and TensorFlow and with CatBoost, in environments below .interop; QUICK=1: Keras on PyTorch alone
	@for name in keras $(if $(QUICK),,catboost tensorflow); do tests/interop/run $$name || exit 1; done

bench-setup: setup  ## install what only the benchmarks compare with
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/requirements.txt

bench: setup  ## measure every quoted figure again, one after the other
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(VENV)/bin/python "$$file" || exit 1; done

pictures: setup  ## screenshots of the running stack's Dagster pages, for docs/; needs Chromium
	$(VENV)/bin/python docs/pictures.py $(ONLY)
