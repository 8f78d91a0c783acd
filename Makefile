# `make demo` and `make test` work on a fresh machine; each sets up .venv when it is missing or out of date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready

.PHONY: demo test test-fast bench bench-stack lint lock clean

demo: $(SETUP)  ## train the default beta-VAE on digits
	$(BIN)/python src/train.py

test: $(SETUP)  ## run the tests, two processes at a time
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(SETUP)  ## the tests that start no processes and take no seconds
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

bench: $(SETUP)  ## what it costs to begin, what an epoch on MNIST costs beside other ways to train, a contraction
	$(BIN)/python tests/benchmarks/startup.py
	$(BIN)/python tests/benchmarks/epoch.py
	$(BIN)/python tests/benchmarks/contraction.py

bench-stack: $(SETUP)  ## what a study costs as a stack, against one job after the other and the pool
	$(BIN)/python tests/benchmarks/stack.py

lint: $(SETUP)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(SETUP): .requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else \
	  "Python 3.11 to 3.13 is needed, this is %d.%d: try make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -r .requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock:  ## resolve .requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --extra slurm --extra ray --extra dashboard --extra tensorboard --universal --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-index-url -o .requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
