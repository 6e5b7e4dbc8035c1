# Everything starts here. Needs Python 3.11 or newer with venv, and make; brings the rest.
#
#   make up      install, and start with a demo request in the inbox
#   make test    bring what the tests need, and run them

PYTHON ?= python3
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests
LOCK := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help up test test-all bench lint docs screenshots tools lock clean

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

up: $(VENV)/installed ## install, and start with a demo request in the inbox
	@$(BIN)/consentry up --demo $(ARGS)

test: $(VENV)/installed-dev tools ## bring what the tests need, and run them (not the slow ones)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not slow" $(TESTS)

test-all: $(VENV)/installed-dev tools ## the slow ones too: fuzzing, kills, soaks, every size of screen
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --timeout 1800 $(TESTS)

bench: $(VENV)/installed-dev ## measure against peers and bounds
	@set -e; for script in $$(grep -l '^if __name__' bench/*.py | grep -v accuracy_); do \
		echo "== $$script"; $(BIN)/python $$script; done

lint: $(VENV)/installed-dev ## ruff, mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary

docs: $(VENV)/installed-dev ## write what is generated in docs/, and check that the rest is true
	@set -e; for script in docs/generate/*.py; do [ ! -e "$$script" ] || $(BIN)/python "$$script"; done
	@$(BIN)/python -m pytest -q tests/test_docs.py

screenshots: $(VENV)/installed-dev tools ## photograph the inbox of a real server for docs/
	@$(BIN)/python tools/screenshots.py

# Programs that tests drive. Where they cannot be had, the tests that need them are skipped by name.
tools:
	@sh .ci/tools

lock: $(VENV)/installed-dev ## pin dependencies anew, with hashes
	$(LOCK) --extra vector --extra slack --build-deps-for editable --output-file requirements.lock pyproject.toml
	@mkdir -p .work && { echo "-c ../requirements.lock"; $(BIN)/python -c 'import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")'; } > .work/dev.in
	$(LOCK) --output-file requirements-dev.lock .work/dev.in
	$(LOCK) --output-file requirements-frameworks.lock tests/integrations/frameworks.in

clean: ## remove the environment and caches
	rm -rf $(VENV) .work .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing (once) …" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
