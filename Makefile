# Each target works as the first command after `git clone`; what is there already is not made again.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

.PHONY: help repository repro climb experiments restore page test test-fast lint bench lock

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

repro: repository .venv/installed  ## run the pipeline: data, train, evaluate, reports; then say what it reached
	dvc repro
	@python -m commands.result

climb: repository .venv/installed  ## run the whole ladder: every rung, all its seeds, the board; only what is due
	python -m stages.names
	dvc repro rungs/dvc.yaml:preprocess rungs/dvc.yaml:plan rungs/dvc.yaml:plan_elsewhere rungs/dvc.yaml:measuring
	python -m commands.train_ladder
	dvc repro dvc.yaml rungs/dvc.yaml

experiments: repository .venv/installed  ## list the experiments: what each set and reached, and whether that is better
	@python -m commands.experiments

restore: .venv/installed  ## fetch data, models and earlier runs, where a DVC remote is set up
	@if [ -z "$$(dvc remote list)" ]; then echo "no DVC remote is set up: what is missing will be run here"; \
	else dvc pull --run-cache --allow-missing || echo "the remote did not give all: what is missing will be run here"; fi

page: .venv/installed  ## build site/: the ladder to look at and to try, a folder that opens from a file
	python -m commands.page

test: lint  ## lint, then all tests
	python -m pytest

test-fast: lint  ## lint, then the tests that take less than a few seconds each
	python -m pytest -m "not slow"

lint: .venv/installed  ## check style, and that packages import one way
	ruff check .
	ruff format --check .
	lint-imports

bench: .venv/installed  ## time the run beside other ways to train
	dvc repro rungs/dvc.yaml:preprocess@mnist
	python -m benchmarks.throughput | tee benchmarks/throughput.tmp
	mv benchmarks/throughput.tmp benchmarks/throughput.txt

lock: .venv/installed  ## pin every dependency anew, with hashes, from pyproject.toml
	uv pip compile --quiet --universal --generate-hashes --all-extras --python-version 3.11 --upgrade \
		--custom-compile-command "make lock" pyproject.toml -o requirements.txt

repository:
	@git rev-parse --git-dir > /dev/null 2>&1 || { echo "This folder is no Git repository, which DVC needs:" \
		"clone it instead of unpacking an archive, or run 'git init' here first." >&2; exit 1; }

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@
