# The two commands of the README are `make demo` and `make test`; each does its own set-up on a machine with Python >= 3.11.
# Everything below could be typed by hand.

BIN := .venv/bin
READY := .venv/.ready

# Where byte code may not be kept, each of the many programs that the tests start would compile all of this anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test dev lint format types lock package services sheets

help:
	@echo "make demo      watch the whole job on data made for it"
	@echo "make test      linters, types, floors and all tests"
	@echo "make dev       set up .venv only        make services  databases and systemd tools for the tests"
	@echo "make lint      ruff, import-linter      make format    ruff, mending what it can"
	@echo "make types     mypy --strict            make lock      pin dependencies anew (UPGRADE=1 moves existing pins)"
	@echo "make sheets    data sheets of the connectors, made of what the conformance kit finds"
	@echo "make package   wheel and source archive in dist/"

demo: $(READY)
	$(BIN)/retentiond demo

test: $(READY) services lint types
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(PYTEST_OPTIONS)

dev: $(READY)

# Editable installs cannot be hashed, so there are two steps; without isolation the locked build back end is the one used.
$(READY): requirements-dev.lock pyproject.toml .ci/make-venv
	.ci/make-venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(READY)
	$(BIN)/mypy

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade --exclude-newer "1 week") --all-extras pyproject.toml

lock: $(READY)
	$(COMPILE) -o requirements.lock
	$(COMPILE) --group dev -o requirements-dev.lock

package: $(READY)
	rm -rf dist
	$(BIN)/hatchling build

sheets: $(READY) services
	DATA_SHEETS=write $(BIN)/pytest --quiet --numprocesses=auto tests/connectors -k conformance

services:
	@.ci/install-services
