# Everything is installed into a virtual environment, so only Python and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install hooks demo test test-fast test-versions attacks check bench bench-short format lint types coverage schema client-matrix compiled-clients audit constraints sbom web clients bench-scaling bench-access bench-document prices clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ \t/' | expand -t 16

# Nothing is installed whose hash is not known. pip cannot tell the hash of a directory, so this project comes last.
PIP_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check
VERIFIED = --require-hashes -c constraints-hashed.txt
# Prints the part of pip itself. The pip of a new environment may be older, and take hashes from no file of constraints.
OWN_HASHES = awk '/^[^ ]/ { own = /^pip==/ } own' constraints-hashed.txt

$(VENV)/installed: pyproject.toml constraints-hashed.txt hatch_build.py web/package-lock.json
	$(PYTHON) -m venv $(VENV)
	$(OWN_HASHES) > $(VENV)/pip.txt
	$(PIP_INSTALL) --require-hashes -r $(VENV)/pip.txt
	$(BIN)/python .ci/dependencies demo schemas > $(VENV)/requirements.txt
	$(PIP_INSTALL) $(VERIFIED) -r $(VENV)/requirements.txt --group dev
	$(BIN)/python hatch_build.py > $(VENV)/build-requirements.txt
	if [ -s $(VENV)/build-requirements.txt ]; then $(PIP_INSTALL) $(VERIFIED) -r $(VENV)/build-requirements.txt; fi
	PATH="$(abspath $(BIN)):$$PATH" $(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

install: $(VENV)/installed ## Install everything into .venv

hooks: $(VENV)/installed ## Check each commit with pre-commit
	$(BIN)/pre-commit install

demo: $(VENV)/installed ## Serve live figures of this machine on 127.0.0.1:8000
	@# In its own process group, only the demo receives Ctrl-C, and make returns its exit code.
	@if [ -t 0 ]; then set -m; fi; $(BIN)/kvs-graphql demo

# So many files of tests run at once: many tests wait for brokers and browsers most of their time. The files stay in
# their order: by the number of their tests, those of one long test would come last, and be waited for.
WORKERS ?= 4
PYTEST = $(BIN)/python -m pytest -q --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(VENV)/installed ## Run all tests; skip those whose tools (Java, Maven, Chromium, Node.js, proxies) are missing
	$(PYTEST)

test-fast: $(VENV)/installed ## Run the tests that need only Python
	$(PYTEST) -m 'not kafka and not browser and not node and not proxy and not client'

test-versions: $(VENV)/installed ## Run the fast tests on each supported Python of this machine
	.ci/test-versions

attacks: $(VENV)/installed ## Attack a service with default limits, and print what a canary notices (ONLY=history-of-many ROUNDS=3)
	$(BIN)/python -m tests.attacks $(addprefix --only ,$(ONLY)) $(addprefix --rounds ,$(ROUNDS)) $(addprefix --seconds ,$(SECONDS))

check: lint types coverage ## Run all checks of the Python code: format, lint, types, tests with coverage

$(VENV)/installed-bench: $(VENV)/installed
	$(PIP_INSTALL) $(VERIFIED) --group bench
	@touch $@

# ONLY names a part: reads, fanout, catchup, live, restart, memory, typed or access. ROUNDS, PAIRS and SECONDS set the amount.
BENCH_OPTIONS = $(addprefix --only ,$(ONLY)) $(addprefix --rounds ,$(ROUNDS)) $(addprefix --seconds ,$(SECONDS))
COMPARE_OPTIONS = $(addprefix --only ,$(ONLY)) $(addprefix --pairs ,$(PAIRS)) $(addprefix --seconds ,$(SECONDS)) \
	$(addprefix --bound ,$(BOUND))

bench: $(VENV)/installed-bench ## Measure beside the floors (ONLY=reads ROUNDS=3 SECONDS=4), or compare (BASE=commit PAIRS=10)
	$(BIN)/python -m bench $(if $(BASE),compare $(BASE) $(COMPARE_OPTIONS),run $(BENCH_OPTIONS))

bench-short: $(VENV)/installed-bench ## Measure a reduced run in about two minutes
	$(BIN)/python -m bench run --short $(BENCH_OPTIONS)

bench-scaling: $(VENV)/installed-bench ## Measure how cost grows with keys, connections and watches
	$(BIN)/python -m bench scaling $(addprefix --rounds ,$(ROUNDS)) $(addprefix --seconds ,$(SECONDS))

bench-access: $(VENV)/installed-bench ## Compare the service with JWTs and grants with itself without (PAIRS=10)
	$(BIN)/python -m bench access $(addprefix --pairs ,$(PAIRS)) $(addprefix --seconds ,$(SECONDS))

prices: $(VENV)/installed-bench ## Measure what a unit of each limit on operations takes
	$(BIN)/python -m bench prices

bench-document: $(VENV)/installed-bench ## Write the last results into docs/performance.md, with plots
	$(BIN)/python -m bench document

format: $(VENV)/installed ## Format the code
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lint: $(VENV)/installed ## Check format and lint rules
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .

types: $(VENV)/installed ## Check types
	$(BIN)/mypy

coverage: $(VENV)/installed ## Run all tests and report branch coverage
	$(PYTEST) --cov --cov-report=term

web: ## Check and build the browser pages (needs Node.js 20.19 or newer)
	npm --prefix web ci --no-audit --no-fund
	npm --prefix web run check
	npm --prefix web run build

clients: ## Check the JavaScript client package (needs Node.js 20.19 or newer)
	npm --prefix clients/javascript ci --no-audit --no-fund
	npm --prefix clients/javascript run check

compiled-clients: $(VENV)/installed ## Build the Go and Rust clients of the tests, where their tools are
	$(BIN)/python -m tests.clients.toolchains

schema: $(VENV)/installed ## Write schema.graphql and the settings table in README.md
	$(BIN)/kvs-graphql schema > schema.graphql
	$(BIN)/python -m tests.readme

# The tools of the supply chain have an environment of their own.
AUDIT = .cache/audit
$(AUDIT)/installed: pyproject.toml constraints-hashed.txt
	$(PYTHON) -m venv $(AUDIT)
	$(OWN_HASHES) > $(AUDIT)/pip.txt
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(AUDIT)/pip.txt
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check $(VERIFIED) --group audit
	@touch $@

audit: $(AUDIT)/installed ## Look for known holes in pinned packages (KVS_REQUIRE_AUDIT=1: fail without advisories)
	PATH="$(abspath $(AUDIT)/bin):$$PATH" $(PYTHON) .ci/audit

constraints: $(AUDIT)/installed ## Write the hashes of what constraints.txt pins into constraints-hashed.txt
	$(AUDIT)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
		--group dev --group bench --group build --group audit --no-header --no-annotate --no-emit-index-url \
		-c constraints.txt pyproject.toml -o constraints-hashed.txt

SHIPPED = .cache/shipped
sbom: $(AUDIT)/installed ## Write what the image contains into dist/sbom, as CycloneDX
	$(PYTHON) -m venv --clear $(SHIPPED)
	$(OWN_HASHES) > $(SHIPPED)/pip.txt
	$(SHIPPED)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(SHIPPED)/pip.txt
	$(PYTHON) .ci/dependencies schemas > $(SHIPPED)/requirements.txt
	$(SHIPPED)/bin/pip install --quiet --disable-pip-version-check $(VERIFIED) -r $(SHIPPED)/requirements.txt
	mkdir -p dist/sbom
	$(AUDIT)/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
		-o dist/sbom/python.cdx.json $(SHIPPED)/bin/python
	npm --prefix web sbom --sbom-format=cyclonedx --omit=dev --package-lock-only > dist/sbom/pages.cdx.json

client-matrix: $(VENV)/installed ## Write the table and the setups in docs/clients.md
	$(BIN)/python -m tests.clients.matrix

clean: ## Remove installed, built and cached files
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage dist
