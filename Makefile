# Everything here sets itself up: a virtual environment in .venv, packages pinned by requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --constraint requirements.lock --editable
WORKERS ?= 2

.PHONY: help demo test docs notebooks lint lock clean
help:
	@echo "make demo    run the whole line on this machine: out/irradiance.nc and out/irradiance.png"
	@echo "make test    lint, types and all tests"
	@echo "make docs    the documentation site, in docs/_build/html, with the notebooks run"
	@echo "make notebooks   every notebook by papermill, in out/notebooks"
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

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

notebooks: $(VENV)/.dev
	mkdir -p out/notebooks
	for notebook in notebooks/*.ipynb; do \
		$(BIN)/papermill --cwd out/notebooks $$notebook out/$$notebook --no-progress-bar || exit 1; \
	done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(UV)
	$(UV) pip compile --universal --python-version 3.11 --all-extras --no-emit-index-url --no-annotate --no-header --quiet \
		pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache
