# `make` alone lists what there is. Settings: .env.example. How it is built: CONTRIBUTING.md.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv/bin
COMPOSE := tools/compose
# Two workers: most tests wait for a slot or a download. A file's tests stay together, in the order of tests/conftest.py.
PYTEST := PYTHONDONTWRITEBYTECODE= $(VENV)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help up down leave logs status test unit lint audit soak bench requirements clean network network-down demo demo-down \
    screenshots

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

up: ## this machine's noisy CPU into your datasite (an embedded default without SyftBox)
	@$(PYTHON) tools/up.py

down: ## stop; ledger, pool and published file stay
	@$(COMPOSE) --profile '*' down --remove-orphans

leave: ## stop taking part: remove the public and permission files, say what stays
	@$(COMPOSE) --profile '*' down --remove-orphans
	@$(COMPOSE) run --rm --no-deps -T publisher leave
	@$(COMPOSE) --profile '*' down --remove-orphans

demo: ## the whole system here, apart from your own pair: real SyftBox, fifty simulated participants, the page
	@$(PYTHON) tools/demo.py

demo-down: ## take all of the demo away
	@$(PYTHON) tools/demo.py down

network: ## no account? your release travels through a real SyftBox, server and clients on this machine
	@$(PYTHON) tools/network.py

network-down: ## stop that SyftBox; your pair runs on, all volumes stay
	@$(COMPOSE) --profile network rm --stop --force syftbox-server syftbox-owner syftbox-aggregator

logs: ## what both containers say
	@$(COMPOSE) logs --tail 100

status: ## state, last release, budget, what is wrong
	@$(COMPOSE) exec -T publisher cpu-publisher status

test: ## everything: lint, types, all tests, one summary
	@tools/venv dev
	@$(MAKE) --no-print-directory lint
	@$(PYTEST)

unit: ## unit and contract tests only
	@tools/venv dev
	@$(PYTEST) tests/unit tests/contract

lint: ## ruff and mypy, as pre-commit runs them
	@tools/venv dev
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy collector publisher aggregator network tools bench tests main.py

audit: ## what the noise, the ledger and the kills show; regenerates docs/audit.md
	@tools/venv dev
	@$(PYTEST) tests/audit -q
	@$(VENV)/python tests/audit/report.py

soak: ## the long ones: full load for 5 minutes, 1,000 kills, 60 slots with kills by turns (some 25 minutes)
	@tools/venv dev
	@$(VENV)/python bench/pair_soak.py 5
	@AUDIT_KILLS=1000 $(VENV)/python -m pytest tests/audit/test_kill.py -q
	@CPUTRACKER_SOAK_SLOTS=60 $(VENV)/python -m pytest tests/integration/test_kills.py -q

bench: ## print the figures of the docs (those of a running pair: bench/pair.py)
	@tools/venv dev
	@for script in privacy collector aggregator make_up federation; do $(VENV)/python bench/$$script.py; done

screenshots: ## take the README's pictures anew, of the demo's pages
	@tools/venv dev
	@$(VENV)/python -m tests.browser.screenshots

clean: ## remove containers, images and volumes (asks before the ledger goes)
	@tools/clean

requirements: ## compile the pinned requirements anew
	@tools/venv dev
	@tools/requirements
