# The gateway's commands.  `make help` lists them; `tools/` holds what is too long to stand here.
SHELL := /bin/sh
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
SECONDS ?= 30
CLIENTS ?= 8
FUZZ_COUNT ?= 200000
FUZZ_SEED ?= 1
# An hour shows a leak of memory, of file handles or of disk.
SOAK_SECONDS ?= 3600

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup run test lint corpus fuzz faults soak bench lock clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{printf "  make %-7s %s\n", $$1, $$2}'

setup: ## prepare .venv and the system packages (every target does it by itself)
	@sh tools/setup.sh

run: setup ## sandbox, gateway and clinic, every story sent; RUN_ONCE=1 ends with a verdict, PORT= moves it
	@$(BIN)/gateway demo $(if $(filter-out 0,$(RUN_ONCE)),--once) $(if $(PORT),--port $(PORT))

test: setup ## the whole suite, with a seeded slice of fuzz and faults; WORKERS= processes
	@sh tools/system_packages.sh "The tests of keys in PKCS#11 tokens and against the openssl tool are skipped." softhsm2 openssl
	@$(BIN)/python tools/with_postgres.py $(PYTEST) -n $(WORKERS) --dist loadfile -rs -m "not slow" tests

lint: setup ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

corpus: setup ## official examples and collected files, with a table of each collection
	@$(PYTEST) -q -s tests/corpus

fuzz: setup ## changed input of every form and at every door (FUZZ_COUNT=, FUZZ_SEED=)
	@$(BIN)/python -m tests.fuzz --count $(FUZZ_COUNT) --seed $(FUZZ_SEED) --workers $(WORKERS)
	@$(PYTEST) -n $(WORKERS) --hypothesis-profile=full --timeout=3600 tests/attacks tests/scenarios/test_series_machine.py

faults: setup ## crashes, cuts and lost leases, full numbers
	@$(BIN)/python tools/with_postgres.py $(PYTEST) tests/faults

soak: setup ## an hour under load (SOAK_SECONDS=)
	@$(BIN)/gateway bench --clients $(CLIENTS) --seconds $(SOAK_SECONDS)

bench: setup ## submissions per second on this machine (SECONDS=, CLIENTS=)
	@$(BIN)/gateway bench --clients $(CLIENTS) --seconds $(SECONDS)

lock: setup ## resolve the dependencies anew into requirements.lock
	@sh tools/lock.sh

clean: ## remove what was made here: .venv, var, caches
	@rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
