# All work starts here: each target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
SITE_STAMP := $(VENV)-site/.installed
RELEASE_STAMP := $(VENV)-release/.installed
# Which Python $(1) is; empty if it cannot be run.
version-of = $(shell $(1) -c 'import platform; print(platform.python_implementation() + " " + platform.python_version())' 2>/dev/null)
# A PYTHON that the caller names must be the one that made $(VENV); when none is named, $(VENV) is kept as it is.
INSTALLED := $(if $(wildcard $(VENV)),$(call version-of,$(VENV)/bin/python))
WANTED := $(if $(filter file,$(origin PYTHON)),$(INSTALLED),$(call version-of,$(PYTHON)))
IS_FIT := $(and $(INSTALLED),$(filter $(subst $() ,_,$(WANTED)),$(subst $() ,_,$(INSTALLED))))
# Ends make with one line if PYTHON is not one that both packages run on.
require-python = $(if $(shell $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),,$(error \
	Python 3.11 or newer is needed, and $(PYTHON) is $(or $(call version-of,$(PYTHON)),not one that runs); call `make PYTHON=/path/to/python3.11 ...`))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install lock test test-ci test-pythons test-nightly test-postgres test-integration test-lowest perf-baseline lint check format \
	typecheck invariants schemas docs mutants report picture screenshots site tutorial release fresh serve create-key demo bench-floor bench-baseline bench-report bench-overhead \
	bench-compare bench-power bench-episodes bench-waits bench-suite bench-prediction bench-recorder bench-public bench-first bench-schedule bench-makespan bench-split bench-api bench-faults bench-properties bench-mutate bench-mutate-truth bench-mutate-replay bench-budget bench-mutate-operators bench-mutate-since bench-time changelog

help: ## show the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ set-up
install: $(STAMP) ## create .venv and install both packages, once

ifeq ($(IS_FIT),)
.PHONY: $(STAMP)
endif
$(STAMP): requirements.txt backend/pyproject.toml tools/testinfra/pyproject.toml
	@$(if $(IS_FIT),,$(require-python)$(if $(wildcard $(VENV)),echo "$(VENV) was made by $(or $(INSTALLED),a Python that no longer runs); making it anew with $(or $(WANTED),$(PYTHON))" >&2))
	$(if $(IS_FIT),,$(PYTHON) -m venv --clear $(VENV))
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e backend -e tools/testinfra
	@touch $(STAMP)

lock: ## write requirements.txt again from the pyproject files
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-annotate --custom-compile-command 'make lock' --all-extras --group pyproject.toml:dev \
		backend/pyproject.toml tools/testinfra/pyproject.toml -o requirements.txt
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-annotate --custom-compile-command 'make lock' docs/requirements.in -o docs/requirements.txt
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-annotate --custom-compile-command 'make lock' .ci/release.in -o .ci/release.txt
	rm -r $(VENV)-lock

##@ tests
test: install ## both packages' tests; 200 examples for each property of the backend
	cd backend && $(BIN)/python -m pytest tests/ -m "not integration" -n auto
	cd tools/testinfra && $(BIN)/python -m pytest -m "not integration and not nightly" -n auto

test-ci: export CI = true
test-ci: test ## the same with the CI profile: 50 examples

test-pythons: ## test-ci on each Python from 3.11 up that is found, each in a .venv-3.x; PYTHONS="3.12 3.13" or PYTHONS=newest
	@$(require-python)$(PYTHON) .ci/pythons.py $(PYTHONS)

test-nightly: install ## the tests that take minutes, such as 40,000 hostile baselines of each of four kinds and 500 killed writers
	cd tools/testinfra && $(BIN)/python -m pytest tests/property/test_hostile_baselines.py --hypothesis-profile nightly -n auto
	cd tools/testinfra && $(BIN)/python -m pytest -m nightly -n auto

test-postgres: install ## the backend's tests on a PostgreSQL server, found or started
	backend/scripts/with-postgres sh -c 'cd backend && $(BIN)/python -m pytest tests/ -m "not integration" -n auto'

test-integration: install ## the tests that start processes, a server or a browser; the backend's on SQLite and PostgreSQL
	cd tools/testinfra && $(BIN)/python -m pytest -m "integration and not nightly" -n auto
	cd backend && $(BIN)/python -m pytest tests/ -m integration -n auto
	backend/scripts/with-postgres sh -c 'cd backend && $(BIN)/python -m pytest tests/ -m integration -n auto'

fresh: ## do what the README says in a new clone, with an empty home and the system's PATH only
	$(PYTHON) .ci/fresh.py

test-lowest: install ## test the tool's wheel with its oldest dependencies; OTHER=/path/to/python: with the newest ones of that Python
	$(BIN)/python tools/testinfra/scripts/test_installed.py $(if $(OTHER),--python $(OTHER),--lowest)

##@ measurements
# Neither ends at a property that failed: `verify` writes what was measured, keeps the rest, says so, and gives the status.
perf-baseline: install ## measure every property under both profiles, verify the targets, write the baseline
	$(BIN)/testinfra measure --baseline --only-properties || [ $$? -eq 1 ]
	$(BIN)/testinfra verify; status=$$?; \
	if [ $$status -le 1 ]; then \
		make --no-print-directory --keep-going docs invariants report || [ $$status -ne 0 ] || status=2; \
	fi; exit $$status

report: install ## show the baseline as a page: .testinfra/report.html
	$(BIN)/testinfra report --format html

# 3 says that there was nothing to ask about: no changed line can be changed further.
mutants: install ## put faults into the backend and say which tests notice; SINCE=REV: only on lines changed since REV; DURATION=30m
	$(BIN)/testinfra mutate --faults benchmarks/subjects/faults/by_hand.toml --list > /dev/null # they apply to the code as it is
	$(BIN)/testinfra mutate --profile ci $(if $(SINCE),--since "$$(git merge-base $(SINCE) HEAD)") --time $(or $(DURATION),30m) || test $$? -eq 3

##@ checks
format: install ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: install ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

typecheck: install ## mypy, strict: the product, then the tests
	$(BIN)/mypy
	cd backend && $(BIN)/mypy --config-file ../pyproject.toml tests
	cd tools/testinfra && $(BIN)/mypy --config-file ../../pyproject.toml --explicit-package-bases tests

check: install ## check that every verdict, figure and table follows from the measurements and the code
	$(BIN)/testinfra verify --check
	$(BIN)/testinfra docs --check
	cd backend && $(BIN)/python -m tests.invariants --check

##@ documents
docs: install ## write figures, help and tables into the documents
	$(BIN)/testinfra docs

invariants: install ## write backend/tests/INVARIANTS.md from the tests
	cd backend && $(BIN)/python -m tests.invariants

schemas: install ## write the JSON Schemas that the tool ships from its types
	$(BIN)/python tools/testinfra/scripts/write_schemas.py

tutorial: install ## follow the tutorial and write what its commands print into the page
	$(BIN)/python .ci/tutorial.py --write

# A warning is an error: a page that no list names, or a link that leads nowhere.
site: $(SITE_STAMP) ## build all documents as a site in .site/, which needs no network to read
	$(VENV)-site/bin/sphinx-build -q -W --keep-going -j auto -b html -c docs . .site
	@echo "open .site/index.html"

$(SITE_STAMP): docs/requirements.txt
	@$(require-python)
	$(PYTHON) -m venv $(VENV)-site
	$(VENV)-site/bin/python -m pip install --quiet --require-hashes -r docs/requirements.txt
	@touch $(SITE_STAMP)

picture: report ## take the picture in the tool's README again (needs Chromium)
	chromium --headless --no-sandbox --hide-scrollbars --virtual-time-budget=4000 --window-size=1180,1040 \
		--screenshot=tools/testinfra/docs/report.png .testinfra/report.html

screenshots: install ## take pictures of the page and of its print, for a person to look at (needs Chromium)
	cd tools/testinfra && TESTINFRA_REQUIRE_BROWSER=1 $(BIN)/python -m pytest -q -m nightly tests/reports/test_screenshots.py
	@echo "look at tools/testinfra/.testinfra/screenshots/"

##@ releases
changelog: install ## show what changes/ holds; with VERSION=1.2.3 move it into CHANGELOG.md
	$(BIN)/towncrier build $(if $(VERSION),--yes --version $(VERSION),--draft --version unreleased)

release: install $(RELEASE_STAMP) ## build both packages into dist/, check and try them; with VERSION=1.2.3 also write the changelog and tag
	$(BIN)/python .ci/release.py --tools $(CURDIR)/$(VENV)-release/bin $(if $(VERSION),--version $(VERSION))
	$(if $(VERSION),,$(BIN)/towncrier build --draft --version unreleased)

$(RELEASE_STAMP): .ci/release.txt
	@$(require-python)
	$(PYTHON) -m venv $(VENV)-release
	$(VENV)-release/bin/python -m pip install --quiet --require-hashes -r .ci/release.txt
	@touch $(RELEASE_STAMP)

##@ benchmarks: each prints its figures and keeps them in benchmarks/results/
bench-floor: install ## the named properties against an empty body and a fresh schema per example
	$(BIN)/python benchmarks/floor.py

bench-suite: install ## both packages' tests: wall, CPU, memory of each process, PostgreSQL against SQLite
	$(BIN)/python benchmarks/suite.py

bench-baseline: install ## load, check, compare and save a baseline of up to 100,000 tests
	$(BIN)/python benchmarks/baseline_scale.py

bench-report: install ## what a report on 1,000 to 50,000 tests costs (REPEATS)
	$(BIN)/python benchmarks/report_scale.py --repeats $(or $(REPEATS),3)

bench-recorder: install ## what the recorder keeps in memory over 100,000 tests
	$(BIN)/python benchmarks/recorder_scale.py

bench-public: install ## measure public suites, compared with Hypothesis's own statistics (needs a package index)
	$(BIN)/python benchmarks/public_suites.py

bench-first: install ## CPU of bare `testinfra measure` against plain pytest, and how long a first look takes (ROUNDS=3; needs a package index)
	$(BIN)/python benchmarks/first_answer.py --rounds $(or $(ROUNDS),3)

bench-overhead: install ## what recording costs, in instructions under valgrind, beside its peers
	$(BIN)/python benchmarks/overhead.py

bench-schedule: install ## how far above the lower bound a run with 2, 4 and 8 workers ends, with xdist's schedulers and ours
	$(BIN)/python benchmarks/schedule.py

bench-makespan: install ## how far above the lower bound the backend's suite and two public ones end with -n 2 (ROUNDS=3; needs a package index)
	$(BIN)/python benchmarks/makespan.py --rounds $(or $(ROUNDS),3)

bench-split: install ## how often a rare bug is found whole and in 2 and 4 shares, at equal numbers of examples
	$(BIN)/python benchmarks/split.py

bench-prediction: install ## how well the cost of the CI run is predicted, on this suite and two public ones
	$(BIN)/python benchmarks/prediction.py --keep

bench-compare: install ## how often `compare` is wrong, and which kinds of slow-down it finds: a small run; ROUNDS=10 KEEP="--keep --runs .testinfra/kinds" for all
	$(BIN)/python benchmarks/compare_kinds.py --rounds $(or $(ROUNDS),1) $(KEEP)

bench-power: install ## the same for the body alone: a small run; COMPARISONS=200 KEEP="--keep --runs .testinfra/power" for all
	$(BIN)/python benchmarks/compare_power.py --comparisons $(or $(COMPARISONS),10) $(KEEP)

bench-episodes: install ## an episode of 10,000 messages
	$(BIN)/python benchmarks/episodes.py

bench-budget: install ## a budget and a corpus against 50 examples each: a small run; TRAIN=40 TEST=40 FAULTS=61 RUNS=2 KEEP=--keep for all
	$(BIN)/python benchmarks/budget.py --train $(or $(TRAIN),8) --test $(or $(TEST),8) --faults $(or $(FAULTS),8) --runs $(or $(RUNS),1) $(KEEP)

bench-waits: install ## how long others wait to write while an episode of a long conversation is made
	$(BIN)/python benchmarks/waits.py

bench-api: install ## CPU and latencies of a request, against a trivial FastAPI GET on the same server
	$(BIN)/python benchmarks/api.py

bench-faults: install ## how many faults in the backend its tests notice (SEED, SAMPLE, MINUTES, KEEP=--keep)
	$(BIN)/python benchmarks/faults.py --seed $(or $(SEED),0) --sample $(or $(SAMPLE),120) --minutes $(or $(MINUTES),25) $(KEEP)

bench-properties: install ## whether each property of the backend notices a fault in what it reaches (SEED, MINUTES, KEEP=--keep)
	$(BIN)/python benchmarks/faults.py --properties --seed $(or $(SEED),0) --minutes $(or $(MINUTES),25) $(KEEP)

bench-mutate: install ## `testinfra mutate` beside mutmut, cosmic-ray and pytest-gremlins (MINUTES for each tool, SUBJECT=pure or database, KEEP=--keep; needs a package index)
	$(BIN)/python benchmarks/mutate_peers.py $(if $(SUBJECT),--subject $(SUBJECT)) --minutes $(or $(MINUTES),5) $(KEEP)

bench-mutate-truth: install ## verdicts of `testinfra mutate`, repeated by editing files; continues where it stopped (SUITE, SAMPLE, EACH, RUNS, KEEP=--keep)
	$(BIN)/python benchmarks/mutate_truth.py $(if $(SUITE),--suite $(SUITE)) --sample $(or $(SAMPLE),110) --each $(or $(EACH),50) --runs $(or $(RUNS),100000) $(KEEP)

bench-mutate-replay: install ## replays of `testinfra mutate` against real runs of the engine; continues where it stopped (EACH, RUNS, KEEP=--keep)
	$(BIN)/python benchmarks/mutate_replay.py --each $(or $(EACH),26) --runs $(or $(RUNS),100000) $(KEEP)

bench-survivors: install ## the first survivors of two public suites, repeated and judged (SUITES, MINUTES, KEEP=--keep; needs a package index)
	$(BIN)/python benchmarks/survivors.py $(if $(SUITES),--suites $(SUITES)) --minutes $(or $(MINUTES),3) $(KEEP)

bench-mutate-operators: install ## how many faults written by hand an operator makes (KEEP=--keep)
	$(BIN)/python benchmarks/mutate_operators.py $(KEEP)

bench-mutate-since: install ## CPU of `testinfra mutate --since` for 50 changed lines of the backend (SEEDS, WHOLE=--whole, KEEP=--keep)
	$(BIN)/python benchmarks/mutate_since.py --seeds $(or $(SEEDS),0 1 2) $(WHOLE) $(KEEP)

bench-time: install ## how near a timed run ends to its time, and how fair it is; continues where it stopped (SUITES="synthetic backend attrs", SECONDS="20 60", ROUNDS, MINUTES, KEEP=--keep; public suites need a package index)
	$(BIN)/python benchmarks/timebox.py --suites $(or $(SUITES),synthetic) --seconds $(or $(SECONDS),20) --rounds $(or $(ROUNDS),1) --minutes $(or $(MINUTES),1000) $(KEEP)

##@ the service
serve: install ## migrate the database and serve the API (ATOM_DATABASE_URL, ATOM_HOST, ATOM_PORT)
	$(BIN)/atom serve

create-key: install ## make a workspace and its first API key; the secret goes to stdout
	@$(BIN)/atom migrate >&2
	@$(BIN)/atom create-key

demo: install ## make a workspace with example data; a key and ids go to stdout as shell variables
	@$(BIN)/atom migrate >&2
	@$(BIN)/atom demo
