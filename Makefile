# Everything runs inside .venv, which the first target that needs it sets up.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help look ladder test check format ui bench soak clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

look: $(READY) ## a first look in minutes: 40 tickets, three rungs, no training
	$(PY) -m harness +task=support_json +experiment=look

ladder: $(READY) ## the five rungs on support_json: the table, results/, MLflow
	$(PY) -m harness +task=support_json

# One thread for each of the two processes: more would wait for each other on two cores.
test: $(READY) ## the tests, on real weights too
	OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: $(READY) ## formatting, lint and types
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

format: $(READY) ## put the code into shape
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

ui: $(READY) ## MLflow's UI on this project's store: http://127.0.0.1:5000
	$(VENV)/bin/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlflow.db

bench: $(VENV)/.bench ## against lm-eval, TRL, llama.cpp and others; BANKING77=FOLDER adds to it
	$(PY) -m bench $(if $(BANKING77),--banking77 "$(BANKING77)")

soak: $(READY) ## what is promised under faults, tried; TRIALS="kill disk" for some
	$(PY) -m bench.soak $(TRIALS)

clean: ## remove .venv; results/ and mlflow.db stay
	rm -rf $(VENV)

# Modules are compiled when they are first imported, as most of these never are.
INSTALL := $(PY) -m pip install --quiet --progress-bar on --no-compile -c constraints.txt

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "harness needs Python 3.11 or later; say: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[dev]'
	@touch $@

$(VENV)/.bench: $(READY)
	$(INSTALL) -e '.[dev,bench]'
	@touch $@
