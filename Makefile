# Everything here sets itself up: a virtual environment in .venv, packages pinned by requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --constraint requirements.lock --editable
WORKERS ?= 2

.PHONY: help demo hub season test test-faults docs notebooks lint lock image test-image test-kubernetes clean
help:
	@echo "make demo    run the whole line on this machine: out/irradiance.nc and out/irradiance.png"
	@echo "make hub     run JupyterHub, a Dask gateway and JupyterLab on this machine, for a person to try"
	@echo "make season  a satellite season in blocks and in one piece: out/season/agg.png equals full.png"
	@echo "make test    lint, types and all tests but the long ones below"
	@echo "make test-faults      the long tests that kill workers, clients and servers over and over"
	@echo "make docs    the documentation site, in docs/_build/html, with the notebooks run"
	@echo "make notebooks   every notebook by papermill, in out/notebooks"
	@echo "make lint    ruff and mypy"
	@echo "make image   build the container image with docker or buildah; IMAGE, BASE_IMAGE and BUILDER choose"
	@echo "make test-image       start the image that is there and run the demo job in it"
	@echo "make test-kubernetes  install the chart into the cluster of KUBECONFIG, burst, and take it away again"
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

$(VENV)/.season: $(UV) pyproject.toml requirements.lock
	$(INSTALL) ".[season,season-pysat]"
	@touch $@

season: $(VENV)/.season
	$(BIN)/python examples/seasonal_occurrence.py --out out/season

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not (faults and slow)" $(PYTEST_ARGS)

test-faults: $(VENV)/.dev
	$(BIN)/python -m pytest tests/burst/test_long_faults.py -s $(PYTEST_ARGS)

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

image:
	docker/make-image

test-image: $(VENV)/.dev
	$(BIN)/python -m pytest tests/deploy/test_image.py $(PYTEST_ARGS)

test-kubernetes: $(VENV)/.dev
	HELIO_BURST_TEST_KUBERNETES=1 $(BIN)/python -m pytest tests/deploy/test_kubernetes.py -m kubernetes $(PYTEST_ARGS)

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache
