# Two commands matter: `make demo` and `make test`. Each makes its own .venv with plain pip and can be run again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt
SOURCES := pyproject.toml .ci/constraints.txt
CODE := rag chunkers retrievers rerankers compressors evals

.PHONY: demo test test-all lint types bench clean

demo: $(VENV)/.core  ## index a bundled corpus, ask it three questions, score it
	$(BIN)/rag models pull
	$(BIN)/rag demo

test: $(VENV)/.dev  ## the default tests: no model, no network
	$(BIN)/python -m pytest

test-all: $(VENV)/.all  ## everything, with every extra: real models, peers, loopback servers, slow properties
	$(BIN)/rag models pull --all
	$(BIN)/python -m pytest -m ""

lint: $(VENV)/.dev  ## format, lint, spelling
	$(BIN)/ruff format --check $(CODE) tests
	$(BIN)/ruff check $(CODE) tests
	$(BIN)/codespell $(CODE) tests README.md ARCHITECTURE.md CHANGELOG.md

types: $(VENV)/.dev
	$(BIN)/mypy

bench: $(VENV)/.all  ## speed beside the peers, in the same run
	$(BIN)/rag models pull
	$(BIN)/rag bench chunk
	$(BIN)/rag bench query
	$(BIN)/rag bench index

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	touch $@

$(VENV)/.core: $(VENV)/.made $(SOURCES)
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.made $(SOURCES)
	$(PIP) --editable '.[dev,pdf]'
	touch $@

$(VENV)/.all: $(VENV)/.made $(SOURCES)
	$(PIP) --editable '.[dev,all,peers,probe]'
	touch $@
