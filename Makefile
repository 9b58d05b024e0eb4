# Everything sets itself up from a bare Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
# servers and commands are started hundreds of times: what they import is compiled once, whatever the shell says
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 2 --dist worksteal

.PHONY: help setup demo clients test test-long check bench lock

help:  ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Opportune needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: .venv/.ready  ## Make .venv and install everything that developing needs

demo: setup  ## A simulated company, live: its customers, the hub's answers, what they bring
	$(BIN)/opportune demo

clients: setup  ## The tracking clients that the tests drive, unmodified, in .clients
	$(BIN)/python tests/clients/pinned_clients.py

test: setup  ## The tests with their short, seeded simulations
	-@$(MAKE) --no-print-directory clients
	$(PYTEST)

test-long: setup  ## The tests with their full simulations and fault loops
	-@$(MAKE) --no-print-directory clients
	OPPORTUNE_LONG=1 $(PYTEST)

check: setup  ## Style, strict types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## Every figure beside its peer, as JSON
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/opportune bench --json

lock: setup  ## Write the versions in use into constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade -e '.[dev,bench]'
	$(BIN)/pip freeze --exclude-editable | grep -E '^[A-Za-z0-9_.-]+==' > constraints.txt
