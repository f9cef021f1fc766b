# What users and developers run. Needs Python 3.11 or newer and make; everything goes into this folder.
#   make run     sets up and starts the service on http://127.0.0.1:8000
#   make test    sets up and runs every check

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
SERVICE := .venv
TRAINING := .venv-train
AUDIT := .venv-audit
PIP := -m pip install --quiet --disable-pip-version-check
# uv installs in a third of pip's time; --python, since it would rather take an environment that is activated.
INSTALL := $(SERVICE)/bin/python -m uv pip install --quiet --constraint constraints.txt --python $(SERVICE)/bin/python
# Options for the command, as in: make run ARGS="--port 9000 --policy only-when-necessary"
ARGS ?=

.PHONY: help run setup lint test test-service test-training test-cluster mutants audit clean
.DEFAULT_GOAL := help

help:
	@echo "make run            start the service on http://127.0.0.1:8000 (ARGS=\"--port 9000\" for options)"
	@echo "make test           every check: lint, test-service, test-training"
	@echo "make setup          both environments: $(SERVICE) for the service, $(TRAINING) for training"
	@echo "make lint           style, types and import contracts"
	@echo "make test-service   tests of the service, without torch"
	@echo "make test-training  tests of the training pipeline, with torch"
	@echo "make test-cluster   tests on a Ray cluster of three machines within this one (installs ray); some minutes"
	@echo "make mutants        what the tests notice of small faults (ARGS=\"runs/summary --sample 40\"); slow"
	@echo "make audit          known holes of the pinned packages, by pip-audit; asks the package index (not part of test)"
	@echo "make clean          remove environments, caches and builds"

run: $(SERVICE)/.made-serve
	$(SERVICE)/bin/bladecheck serve $(ARGS)

setup: $(SERVICE)/.made-test $(TRAINING)/.made

test: lint test-service test-training

lint: $(SERVICE)/.made-test
	$(SERVICE)/bin/ruff check .
	$(SERVICE)/bin/ruff format --check .
	$(SERVICE)/bin/mypy service
	$(SERVICE)/bin/lint-imports --no-cache

# Two at a time, a file each: tests of load, memory and time were tried beside one neighbour, not beside many.
test-service: $(SERVICE)/.made-test
	$(SERVICE)/bin/pytest -n 2 --dist loadfile --ignore=tests/training $(ARGS)

test-training: $(TRAINING)/.made
	$(TRAINING)/bin/mypy training
	$(TRAINING)/bin/pytest tests/training $(ARGS)

# Apart: ray is large, and its machines take half a minute to start. Without it `make test` skips these.
test-cluster: $(SERVICE)/.made-test
	$(SERVICE)/bin/python $(INSTALL) --editable '.[ray]'
	$(SERVICE)/bin/pytest tests/cluster $(ARGS)

# How much the tests notice of small faults in the modules that promise most; minutes to hours, never part of `test`.
mutants: $(SERVICE)/.made-test
	$(SERVICE)/bin/python tests/mutants.py $(ARGS)

# Apart from the tests: what it says changes with the world, not with this code. A package without an answer is an error.
audit: $(AUDIT)/bin/python
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip-audit
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

clean:
	rm -rf $(SERVICE) $(TRAINING) $(AUDIT) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A stamp is older than what it was made from only after that has changed: a second run installs nothing.
$(SERVICE)/.made-serve: pyproject.toml constraints.txt | $(SERVICE)/bin/python
	$(SERVICE)/bin/python $(PIP) uv
	$(INSTALL) --editable '.[serve,heic]'
	@touch $@

$(SERVICE)/.made-test: $(SERVICE)/.made-serve
	$(INSTALL) --editable '.[serve,heic,archive,cloud,estimate,pack,sign,video,dev]'
	@$(INSTALL) --editable '.[dedupe]' || \
		echo "pdqhash could not be built here (it needs a C++ compiler): tests of near duplicates are skipped"
	@touch $@

# Apart from the service's environment, so that nothing of the service can come to need torch unseen.
$(TRAINING)/.made: pyproject.toml constraints.txt | $(TRAINING)/bin/python
	$(TRAINING)/bin/python $(PIP) --constraint constraints.txt --no-compile --editable '.[train]' hypothesis mypy pytest pytest-timeout
	@touch $@

%/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $*
