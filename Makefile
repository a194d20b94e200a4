# Every target sets up for itself what it needs; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo demo-org up cluster demo-cluster chaos test check fmt bench bench-cluster sim lock audit reference clean

PY := .venv/bin/python
HOME_DIR ?= ./home
PORT ?= 8080
SEED ?= 1
# Where it is set, each process compiles the whole product anew: a second of CPU.
export PYTHONDONTWRITEBYTECODE :=
# ARGS is handed on: make test ARGS="tests/core -k patch"
ARGS ?=

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r n t; do printf '  make %-14s %s\n' "$$n" "$$t"; done

demo: .venv/$(if $(AOB_STORE),.full,.demo) ## the main job, in the terminal, about a minute (TOUR=1: the narrated tour)
	@.venv/bin/aob demo $(if $(TOUR),--tour) $(ARGS)

demo-org: .venv/$(if $(CLUSTER)$(TRIAGE_MODEL),.full,.org) ## an organisation of agents at work without a model, about a minute (CLUSTER=1: on a cluster, JSON=1)
	@$(if $(CLUSTER),PYTHONPATH=examples $(PY) -m tools.cluster.demo_org,.venv/bin/aob demo --org) $(if $(JSON),--json) $(ARGS)

up: .venv/.full ## the platform on HOME_DIR (./home) and PORT (8080); APP=module for your handlers
	@.venv/bin/aob up --home $(HOME_DIR) --port $(PORT) $(if $(APP),--app $(APP)) $(ARGS)

cluster: .venv/.full ## Postgres, all roles and HAProxy as processes of this machine, in ./cluster (ARGS="--coordinators 3")
	@$(PY) -m tools.cluster $(ARGS)

demo-cluster: .venv/.full ## the demo on such a cluster: decided through the other API, a coordinator killed; it leaves nothing behind
	@PYTHONPATH=examples $(PY) -m tools.cluster.demo $(ARGS)

chaos: .venv/.full ## faults under load on such a cluster, 10 minutes, and what held (ARGS="--minutes 1 --seed 7")
	@$(PY) -m tools.chaos $(ARGS)

test: .venv/.dev ## all tests (ARGS="tests/core -k patch" for some; FAST=1: no servers, no slow suites)
	@AOB_TEST_TIMES=1 $(if $(FAST),AOB_TEST_SERVERS=off AOB_TEST_FAST=1) $(PY) -m pytest -n auto -q $(ARGS)

check: .venv/.dev ## format, lint, types, rooms
	@$(PY) -m ruff format --check --quiet . || { echo 'Some files are not formatted: make fmt'; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-cache >.venv/rooms.txt || { sed -n '/^Contracts$$/,$$p' .venv/rooms.txt; exit 1; }
	@sed -n '/^Analyzed/p;/KEPT$$/p;/^Contracts:/p' .venv/rooms.txt

fmt: .venv/.dev ## put the files into form
	@$(PY) -m ruff format --quiet . && $(PY) -m ruff check --fix --quiet .

bench: .venv/.dev ## the figures, as a table and as bench/out/latest.jsonl (ARGS="fsync chain5" for some, ARGS="--against COMMIT")
	@$(PY) -m bench $(ARGS)

bench-cluster: .venv/.dev .venv/.peers ## the figures of a cluster on Postgres, and of others beside it, as a table and as bench/out/cluster.jsonl
	@$(PY) -m bench --cluster $(ARGS)

sim: .venv/.dev ## one simulated world by its seed: make sim SEED=7
	@$(PY) -m aob.testing.world $(SEED) $(ARGS)
	@$(PY) -m tests.sim.live_moves $(SEED) $(ARGS)
	@$(PY) -m tests.sim.agents $(SEED) $(ARGS)

audit: .venv/.run ## look the pinned versions up among known advisories, where those can be reached
	@sh tools/audit.sh

reference: .venv/.dev ## make docs/reference again from the code
	@$(PY) -m tools.make_reference

lock: .venv/.run ## make requirements/*.txt again from pyproject.toml
	@sh tools/lock.sh

clean: ## remove what the targets made
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis bench/out build dist

.venv/.peers: requirements/peers.txt bench/peers/restate/package-lock.json tools/peers.sh .venv/.dev
	@sh tools/peers.sh

.venv/.%: requirements/%.txt pyproject.toml tools/setup.sh
	@sh tools/setup.sh $*
