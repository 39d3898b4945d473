# A virtual environment of its own, so that nothing but Python and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo test check bench bench-short format lint types coverage schema web clients bench-scaling bench-document clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ \t/' | expand -t 16

$(VENV)/installed: pyproject.toml constraints.txt hatch_build.py web/package-lock.json
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]' --group dev
	@touch $@

install: $(VENV)/installed ## Install into .venv

demo: $(VENV)/installed ## Serve this machine's live figures on 127.0.0.1:8000
	@# In a process group of its own Ctrl-C reaches the demo alone, and make ends with its exit code.
	@if [ -t 0 ]; then set -m; fi; $(BIN)/kvs-graphql demo

test: $(VENV)/installed ## Run the tests; those on a real Kafka where Java and Maven are there
	$(BIN)/python -m pytest -q

check: lint types coverage ## Everything that has to hold before a change lands

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --group bench
	@touch $@

# ONLY is a part (reads, fanout, catchup, live, restart, memory), ROUNDS and SECONDS say how much of it.
BENCH_OPTIONS = $(addprefix --only ,$(ONLY)) $(addprefix --rounds ,$(ROUNDS)) $(addprefix --seconds ,$(SECONDS))

bench: $(VENV)/installed-bench ## Measure beside the bare limits (ONLY=reads ROUNDS=3 SECONDS=4)
	$(BIN)/python -m bench run $(BENCH_OPTIONS)

bench-short: $(VENV)/installed-bench ## The same in under two minutes
	$(BIN)/python -m bench run --short $(BENCH_OPTIONS)

bench-scaling: $(VENV)/installed-bench ## Measure how cost grows with keys, connections and watches
	$(BIN)/python -m bench scaling $(addprefix --rounds ,$(ROUNDS)) $(addprefix --seconds ,$(SECONDS))

bench-document: $(VENV)/installed-bench ## Write what was measured last into docs/performance.md
	$(BIN)/python -m bench document

format: $(VENV)/installed ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lint: $(VENV)/installed
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .

types: $(VENV)/installed
	$(BIN)/mypy

coverage: $(VENV)/installed
	$(BIN)/python -m pytest -q --cov --cov-report=term

web: ## Check and build the pages for browsers (needs Node.js 20.19 or newer)
	npm --prefix web ci --no-audit --no-fund
	npm --prefix web run check
	npm --prefix web run build

clients: ## Check the package for JavaScript clients (needs Node.js 20.19 or newer)
	npm --prefix clients/javascript ci --no-audit --no-fund
	npm --prefix clients/javascript run check

schema: $(VENV)/installed ## Print the schema into schema.graphql, and the settings into README.md
	$(BIN)/kvs-graphql schema > schema.graphql
	$(BIN)/python -m tests.readme

clean: ## Remove what was installed, built and cached
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage dist
