# One command from a fresh clone: `make quickstart`. Another environment: `make test VENV=/somewhere/else`.
VENV ?= .venv
PYTHON ?= python3
ARGS ?=
PIP_FLAGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Tests start many processes; each would compile all modules anew where this is set.
export PYTHONDONTWRITEBYTECODE =
RUN := "$(VENV)/bin/python"
REQUIREMENTS := requirements.txt requirements-dev.txt constraints.txt pyproject.toml
# Named after what was installed; holds the clone that the environment serves.
STAMP := $(VENV)/.false-$(shell cat $(REQUIREMENTS) | cksum | cut -d ' ' -f 1)

# mmselfsup and mmpretrain exclude each other's mmcv and NumPy: one environment more, made on first use.
MMSELFSUP_VENV := $(VENV)-mmselfsup
MMSELFSUP_RUN := "$(MMSELFSUP_VENV)/bin/python"
MMSELFSUP_STAMP := $(MMSELFSUP_VENV)/.false-$(shell cksum < requirements-mmselfsup.txt | cut -d ' ' -f 1)

# What the site needs comes on its first build; test and training do without.
DOCS_STAMP := $(VENV)/.docs-$(shell cat requirements-docs.txt constraints.txt | cksum | cut -d ' ' -f 1)

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-fast test-mmselfsup lint format docs bench clean

help: ## show this list
	@echo 'targets (environment: $(VENV)):'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1  \2/p' Makefile | awk '{printf "  %s %-15s", $$1, $$2; $$1 = $$2 = ""; print}'
	@echo 'variables: VENV=folder  PYTHON=python3.x (makes the environment)  ARGS="..." (quickstart, test, docs)  PIP_FLAGS="..."'

setup: ## make the environment and install the tested versions; nothing to do when that was done
	@[ -x $(RUN) ] || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed: make setup PYTHON=...")' \
	  && $(PYTHON) -m venv "$(VENV)"; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(RUN) -m ensurepip
	@[ -f "$(STAMP)" ] || { \
	  echo 'installing into $(VENV): some minutes and about 6 GB, once' \
	  && $(RUN) -m pip install $(PIP_FLAGS) -r requirements.txt -r requirements-dev.txt -c constraints.txt \
	  && rm -f "$(VENV)"/.false-* && : > "$(STAMP)"; }
	@[ "$$(cat "$(STAMP)")" = "$(CURDIR)" ] || { \
	  $(RUN) -m pip install -q --no-deps --no-build-isolation -e . --config-settings editable_mode=compat \
	  && printf '%s\n' "$(CURDIR)" > "$(STAMP)"; }

quickstart: setup ## make images, pretrain, fine-tune and report, all small; ARGS="--help" for its options
	$(RUN) tools/quickstart.py $(ARGS)

test: setup ## every test, three files at a time: two cores then never wait
	$(RUN) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: setup ## the tests that take less than about five seconds each
	$(RUN) -m pytest -q -m 'not slow' $(ARGS)

# pytest ends with an error if it finds nothing to run, so that a skipped file is no success here.
test-mmselfsup: ## train under mmselfsup 1.0.0, in an environment of its own; not part of `make test`
	@[ -x $(MMSELFSUP_RUN) ] || { \
	  $(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13) and "NumPy 1 needs Python 3.10 to 3.12: make test-mmselfsup PYTHON=...")' \
	  && $(PYTHON) -m venv "$(MMSELFSUP_VENV)"; }
	@$(MMSELFSUP_RUN) -m pip --version >/dev/null 2>&1 || $(MMSELFSUP_RUN) -m ensurepip
	@[ -f "$(MMSELFSUP_STAMP)" ] || { \
	  echo 'installing into $(MMSELFSUP_VENV): some minutes and about 6 GB, once' \
	  && $(MMSELFSUP_RUN) -m pip install $(PIP_FLAGS) -r requirements-mmselfsup.txt \
	  && rm -f "$(MMSELFSUP_VENV)"/.false-* && : > "$(MMSELFSUP_STAMP)"; }
	$(MMSELFSUP_RUN) -m pytest -q tests/end_to_end/test_mmselfsup.py $(ARGS)

lint: setup ## check rules, format and types, change nothing
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: setup ## mend what can be mended, then format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: setup ## run the notebook and build the documents as a site in docs/_build/html; a warning is an error
	@[ -f "$(DOCS_STAMP)" ] || { \
	  $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The site needs Python 3.11 or later: make docs VENV=... PYTHON=...")' \
	  && $(RUN) -m pip install $(PIP_FLAGS) -r requirements-docs.txt -c constraints.txt \
	  && rm -f "$(VENV)"/.docs-* && : > "$(DOCS_STAMP)"; }
	$(RUN) docs/run_tutorial.py --out docs/_build/tutorial.ipynb
	$(RUN) -m sphinx -q -W --keep-going -b html docs docs/_build/html $(ARGS)
	@echo 'docs/_build/html/index.html'

bench: ## say how to run the benchmarks
	@if [ -d benchmarks ]; then \
	  echo 'each benchmark is a module, --help lists its options:'; \
	  for file in benchmarks/[a-z]*.py; do echo "  $(VENV)/bin/python -m benchmarks.$$(basename "$$file" .py)"; done; \
	else \
	  echo 'there are no benchmarks yet'; \
	fi

clean: ## remove caches and build products; keeps the environment, data and work_dirs
	rm -rf build dist docs/_build docs/api/generated .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . \( -name .git -o -name site-packages \) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
