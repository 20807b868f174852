# One environment, filled in two steps: the runtime lock is enough for `make demo`, the development lock adds the rest.
# A stamp file in the environment remembers each step; a changed lock runs its step again.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
PORT ?= 8080
PYTEST_ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
NODE := $(VENV)/node/.installed
SPARK := $(VENV)/.spark-installed
CODE := prefcenter jobs tests $(wildcard benchmarks) docs/examples
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --group install $(LOCK_ARGS)

# No target may touch the store or the keyring of whoever runs it.
unexport PREFCENTER_HOME PREFCENTER_STORE

.DEFAULT_GOAL := help
.PHONY: help setup setup-runtime demo serve test test-spark lint screenshots translations mutants bench contract-table soak lock clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(DEVELOPMENT) $(NODE)  ## Make .venv ready for development (PYTHON=python3.12 chooses the interpreter).

setup-runtime: $(RUNTIME)  ## Make .venv ready to run prefcenter, without the development tools.

demo: $(RUNTIME)  ## Scrub two made-up lists in a temporary home and explain the result.
	@$(BIN)/prefcenter demo

serve: $(RUNTIME)  ## Do the same, then serve the demo's home at 127.0.0.1:$(PORT) until Ctrl-C.
	@$(BIN)/prefcenter demo --serve --port $(PORT)

test: $(DEVELOPMENT) $(NODE)  ## Run the tests; the domain must be covered to its last branch.
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m pytest -n $(WORKERS) --cov=prefcenter/domain --cov-branch --cov-report=term-missing:skip-covered \
		--cov-fail-under=100 $(PYTEST_ARGS)

test-spark: $(SPARK)  ## Compare a scrub by Spark with the reference; gets Spark, and Java 17 where there is none.
	@JAVA_HOME=$$(tests/spark/java_home.sh "$(abspath $(VENV))/java") && export JAVA_HOME && \
		$(BIN)/python -m pytest --timeout=900 -W 'ignore:unclosed <socket:ResourceWarning' tests/spark $(PYTEST_ARGS)

lint: $(DEVELOPMENT)  ## Check style, format, types and the direction of imports.
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

screenshots: $(DEVELOPMENT)  ## Take the pictures of the pages that docs/pages.md shows.
	$(BIN)/python tests/browser/chromium.py
	$(BIN)/python -m tests.browser.screenshots

translations: $(DEVELOPMENT)  ## Bring the catalogues of the pages in line with what the pages say.
	$(BIN)/pybabel --quiet extract --mapping-file=prefcenter/web/locales/babel.cfg --keywords="word gettext" \
		--no-location --sort-output --omit-header --output-file=$(VENV)/pages.pot prefcenter/web
	@set -e; for catalogue in prefcenter/web/locales/*.po; do \
		$(BIN)/pybabel --quiet update --ignore-obsolete --no-fuzzy-matching --omit-header --width=120 \
			--input-file=$(VENV)/pages.pot --output-file=$$catalogue --locale=$$(basename $$catalogue .po); done

mutants: $(DEVELOPMENT)  ## Break the rules on purpose, one at a time; the suite must notice each time.
	$(BIN)/python tests/mutants/run.py

bench: $(DEVELOPMENT)  ## Run the benchmarks.
	@set -e; for script in $(wildcard benchmarks/*.py); do echo "$$script"; $(BIN)/python "$$script"; done

contract-table: $(DEVELOPMENT)  ## Show the store's contract case by backend, what batches cost, and what faults did.
	$(BIN)/python -m pytest -q -n $(WORKERS) -p tests.contract.shown tests/contract tests/storage/test_mongo_round_trips.py \
		tests/storage/test_mongo_faults.py tests/web/test_processes_on_mongodb.py $(PYTEST_ARGS)

soak: $(DEVELOPMENT)  ## Run the long versions of the durability and property tests.
	PREFCENTER_SOAK=1 PREFCENTER_KILLS=$${PREFCENTER_KILLS:-1000} \
		$(BIN)/python -m pytest -n $(WORKERS) -m soak --timeout=7200 $(PYTEST_ARGS)

lock: $(DEVELOPMENT)  ## Renew the locks from pyproject.toml (LOCK_ARGS=--upgrade takes newer versions).
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --extra dev --constraints requirements/runtime.txt --output-file requirements/development.txt pyproject.toml
	$(COMPILE) --extra spark --constraints requirements/development.txt --output-file requirements/spark.txt pyproject.toml

clean:  ## Remove caches and built files; .venv stays.
	rm -rf build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements/runtime.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 is needed: PYTHON=python3.11 make")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --no-deps --require-hashes --requirement requirements/runtime.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements/development.txt $(RUNTIME)
	$(PIP) install --quiet --no-deps --require-hashes --requirement requirements/development.txt
	@touch $@

$(SPARK): requirements/spark.txt $(DEVELOPMENT)
	$(PIP) install --quiet --no-deps --require-hashes --requirement requirements/spark.txt
	@touch $@

# What the tests run in node, which itself comes from a Python package. The lock names no registry.
$(NODE): tests/node/package-lock.json tests/node/package.json $(DEVELOPMENT)
	@mkdir -p $(VENV)/node
	@cp tests/node/package.json tests/node/package-lock.json $(VENV)/node/
	@$(BIN)/npm ci --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
