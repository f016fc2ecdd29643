# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage check format lock bench bench-full docs clean

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## Make the virtual environment from the lock file

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("lenswatch needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 $(MAKECMDGOALS)") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# numba compiles a kernel when it is first called and keeps it on disk: call all of them once
$(VENV)/.compiled: $(VENV)/.installed $(wildcard kernels/lenswatch_kernels/*.py)
	@echo "Compiling kernels, once: about a minute"
	@folder=$$(mktemp -d) && $(BIN)/lenswatch demo --cameras 3 --out $$folder/demo >/dev/null && rm -r $$folder
	@touch $@

demo: $(VENV)/.compiled ## Simulate a small city, audit it, print the score, write the report
	$(BIN)/lenswatch demo

test: setup ## Run every test, then the kernels again uncompiled and with bounds checks
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --cov --cov-report= tests
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n 2 -q -m "kernel and not slow" --cov --cov-append --cov-report= tests/kernels tests/fuzz/flows
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(VENV)/bounds-checked $(BIN)/python -m pytest -n 2 -q -m "kernel and not slow" tests/kernels tests/fuzz/flows
	$(BIN)/python -m coverage report --skip-covered | tail -n 3

coverage: ## After `make test` with every peer installed: at least 90 % of the engine's branches
	$(BIN)/python -m coverage report --fail-under=90

check: setup ## Format, lint, types, import contracts, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

bench: setup ## Quick benchmarks against named peers; results as JSON in .benchmarks/
	$(BIN)/python -m benchmarks --quick

bench-full: setup ## All benchmarks with full data and more repeats
	$(BIN)/python -m benchmarks

lock: ## Resolve pyproject.toml into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --universal --group dev --group docs --all-extras --generate-hashes --python-version 3.11 --no-header -q -o requirements.lock

clean: ## Remove what the other targets made
	rm -rf $(VENV) docs/_build lenswatch-demo .mypy_cache .ruff_cache .pytest_cache
