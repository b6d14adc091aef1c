# Two commands: `make demo` runs the whole loop once, `make test` passes every test. `make help` lists the rest.
PYTHON ?= python3.11
BIN := .venv/bin
# Where pip of this machine finds wheels beside the index; uv does not read pip's configuration. With none, torch comes from its own CPU index.
FIND_LINKS = $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null || echo $$PIP_FIND_LINKS)
UV_OPTIONS = --quiet --compile-bytecode $(if $(FIND_LINKS),--find-links $(firstword $(FIND_LINKS)),--torch-backend cpu)

.PHONY: help demo up down status shell test test-containers secrets lint install lock clean
.DEFAULT_GOAL := help

help: ## This list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18
	@ls benchmarks/*.py 2>/dev/null | sed -nE 's|benchmarks/(.*)\.py|\1|p' | grep -vE "harness|load|corpora|learners" | sed 's/^/  make bench-/'

demo: install ## The whole loop once, through Airflow: collect 14 days, retrain, judge, promote, serve.
	@$(BIN)/groundswell demo

up: install ## Start Airflow, MLflow, the simulated platforms and serving, and leave them running.
	@$(BIN)/groundswell up

down: ## Stop what `make up` started.
	@if [ -x $(BIN)/groundswell ]; then $(BIN)/groundswell down; fi

status: install ## What runs, which model is champion, which days are in the lake.
	@$(BIN)/groundswell status

test: install lint ## Every test, against the real servers.
	$(BIN)/python -m pytest -m "not container" --durations=15

test-containers: install ## The images: build and run them, where buildah and podman are.
	$(BIN)/python -m pytest -m container

secrets: ## The passwords and keys that docker compose needs, into secrets/ (what is there stays).
	@deploy/secrets.sh

lint: install ## Style and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

bench-%: install ## Run one benchmark of benchmarks/ and check its floors.
	$(BIN)/python benchmarks/$*.py

install: .venv/.done .venv-serving/.done

.venv/.done: requirements/pipeline.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "Installing the pipeline's environment into .venv (about 300 packages, 3 GB) …"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	@$(BIN)/uv pip install --python $(BIN)/python $(UV_OPTIONS) -r requirements/pipeline.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -e .
	@touch $@

.venv-serving/.done: requirements/serving.lock pyproject.toml | .venv/.done
	@echo "Installing the serving environment into .venv-serving (no torch) …"
	@$(PYTHON) -m venv --clear --without-pip .venv-serving
	@$(BIN)/uv pip install --python .venv-serving/bin/python --quiet --compile-bytecode -r requirements/serving.lock
	@$(BIN)/uv pip install --python .venv-serving/bin/python --quiet --no-deps -e .
	@touch $@

lock: .venv/.done ## Resolve requirements/*.in anew into the lock files.
	sed -i 's/^torch==\([0-9.]*\)$$/torch==\1+cpu/' requirements/pipeline.lock  # else the wheel of the index is kept, with CUDA
	cd requirements && for name in dev:pipeline serving:serving; do \
	  ../$(BIN)/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate --find-links "$(firstword $(FIND_LINKS))" \
	    $${name%%:*}.in -o $${name##*:}.lock; done
	sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements/pipeline.lock

shell: install ## A shell in which groundswell, airflow, dvc and mlflow talk to the embedded stack.
	@$(BIN)/groundswell shell

clean: down ## Remove var/: lake, models, runs, logs.
	rm -rf var
