# Everything a person does with this checkout. `make` alone lists the targets; every one brings what it needs first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
# Runs a command with PostgreSQL and Valkey around it, and leaves neither behind. With DATABASE_URL and REDIS_URL set,
# those servers are used instead.
WITH_SERVERS := $(PY) -m ops_platform.embedded run
TEST_SERVERS := DATA_DIR=$(CURDIR)/.data/test $(WITH_SERVERS) --fast
PACKAGES := workspaces users lifecycle segmentation campaigns ops_platform

# A run starts many processes that import the same: what one has compiled is kept for the others, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

PORT ?= 8000
SERVE ?= 1
TIER ?= all
PYTEST_ARGS ?=
PART ?=
SIZE ?=

.PHONY: help setup demo serve test check bench bench-heavy faults sdks lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## .venv, web assets, translations; nothing to do the second time
	@scripts/bootstrap.sh

demo: setup  ## the main job on two workspaces, then the dashboard until Ctrl-C (SERVE=0: only the job)
	@$(WITH_SERVERS) -- $(PY) manage.py demo $(if $(filter 0,$(SERVE)),,--serve)

serve: setup  ## the dashboard, worker and beat on PORT=8000
	@$(WITH_SERVERS) -- $(PY) manage.py serve --port $(PORT)

test: setup  ## the whole suite; PYTEST_ARGS="-k name" for a part
	@CHROMIUM="$$($(PY) scripts/find_chromium.py)" $(TEST_SERVERS) -- $(PY) -m pytest -n 3 --dist worksteal -q --durations=10 $(PYTEST_ARGS)

check: setup  ## format, lint, types, import direction, migrations, settings, translations
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m djlint templates --lint --quiet
	.venv/bin/lint-imports
	$(PY) -m mypy
	$(PY) manage.py makemigrations --check --dry-run
	scripts/check_production_settings.sh
	$(PY) scripts/check_translations.py

bench: setup  ## the figures the README claims, each as a ratio within one run; PART=ingest, import, fairness or night (SIZE="--users …")
	@DATA_DIR=$(CURDIR)/.data/bench $(WITH_SERVERS) -- $(PY) -u -m benchmarks $(PART) $(SIZE)

bench-heavy: setup  ## by hand: the night beside three times the history, and beside a tenth of the people (an hour, 40 GB)
	@DATA_DIR=$(CURDIR)/.data/bench $(WITH_SERVERS) -- $(PY) -u -m benchmarks heavy $(SIZE)

faults: setup  ## kill things and count what was lost; TIER=all or one of the tiers in tests/faults
	@TIER=$(TIER) $(TEST_SERVERS) -- $(PY) -m pytest tests/faults -q $(PYTEST_ARGS)

sdks: setup  ## real SDKs of Python, Node and the browser against the server, while it restarts and while it is killed
	@CHROMIUM="$$($(PY) scripts/find_chromium.py)" SDKS=full $(TEST_SERVERS) -- $(PY) -m pytest tests/sdks -q -s $(PYTEST_ARGS)

lock: setup  ## write the requirements anew after a change in pyproject.toml
	.venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --universal -p 3.11 pyproject.toml -o requirements/base.txt
	.venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-emit-find-links --universal -p 3.11 pyproject.toml --group dev -o requirements/dev.txt

clean:  ## remove everything that was made: data, .venv, packages
	@if [ -x $(PY) ]; then $(PY) -m ops_platform.embedded clean; else rm -rf .data; fi
	rm -rf .venv .node .chromium node_modules tests/sdks/node_modules static/vendor locale/*/LC_MESSAGES/*.mo .setup.lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +
