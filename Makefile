# Everything here sets itself up: a virtual environment in .venv, packages pinned by requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --constraint requirements.lock --editable
WORKERS ?= 2

.PHONY: help demo hub test lint lock clean
help:
	@echo "make demo    run the whole line on this machine: out/irradiance.nc and out/irradiance.png"
	@echo "make hub     run JupyterHub, a Dask gateway and JupyterLab on this machine, for a person to try"
	@echo "make test    lint, types and all tests"
	@echo "make lint    ruff and mypy"
	@echo "make lock    pin the dependencies of pyproject.toml anew"
	@echo "make clean   remove .venv and what the targets above made"

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

$(VENV)/.demo: $(UV) pyproject.toml requirements.lock
	$(INSTALL) ".[demo]"
	@touch $@

$(VENV)/.dev: $(UV) pyproject.toml requirements.lock
	$(INSTALL) ".[dev]"
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo
	$(BIN)/helio-burst demo --out out

$(VENV)/.hub: $(UV) pyproject.toml requirements.lock
	$(INSTALL) ".[all,hub]"
	@touch $@ $(VENV)/.demo

hub: $(VENV)/.hub
	$(BIN)/python -m helio_burst.cluster.hub $(PORT)

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(UV)
	$(UV) pip compile --universal --python-version 3.11 --all-extras --no-emit-index-url --no-annotate --no-header --quiet \
		pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache
