# `make demo` and `make test` work on a fresh machine; each sets up .venv when it is missing or out of date.
PYTHON ?= python3
UV ?= $(shell command -v uv)
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.ready

.PHONY: demo test test-all test-fast fuzz bench bench-stack lint lock clean

demo: $(SETUP)  ## train the default beta-VAE, then a ladder of betas, then compare them; a minute or two
	$(BIN)/python src/train.py resume=true hydra.run.dir=runs/demo/beta_vae
	$(BIN)/python src/train.py -m model.beta=0.5,1,2,4,8 callbacks=no_figures hydra/launcher=stack \
	  resume=true hydra.sweep.dir=runs/demo/ladder
	@$(BIN)/python src/compare.py runs/demo/ladder >/dev/null  # its table is on the screen already
	@echo
	@echo "open these:"
	@ls runs/demo/ladder/report/index.html
	@ls $(addprefix runs/demo/beta_vae/figures/,reconstructions.png samples.png traversals.png)

test: $(SETUP)  ## run the tests, three processes at a time: some of them wait
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not nightly"

test-all: $(SETUP)  ## also those of every combination, every service and every fuzzer: twice as long
	$(BIN)/python -m pytest -n 3 --dist worksteal

test-fast: $(SETUP)  ## the tests that start no processes and are quick: a minute and a half on two cores
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

fuzz: $(SETUP)  ## odd values for every setting and in every record, 2,000 of each: one line at most; some minutes
	VAESWEEP_FUZZ=$(or $(VAESWEEP_FUZZ),2000) $(BIN)/python -m pytest -n 0 -s tests/settings/test_fuzz.py tests/report/test_records_fuzz.py

bench: $(SETUP)  ## what it costs to begin, what an epoch on MNIST costs beside other ways to train, a contraction
	$(BIN)/python tests/benchmarks/run_overhead.py
	$(BIN)/python tests/benchmarks/epoch.py
	$(BIN)/python tests/benchmarks/contraction.py

bench-stack: $(SETUP)  ## what a study costs as a stack, against one job after the other and the pool
	$(BIN)/python tests/benchmarks/stack.py

lint: $(SETUP)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# uv is quicker, and brings a Python of its own where the machine's is too new or too old
$(SETUP): .requirements.lock pyproject.toml
	@echo "installing into $(VENV): this takes minutes, and prints nothing unless something is wrong"
ifneq ($(UV),)
	$(UV) venv --quiet --clear --seed --python '>=3.11,<3.14' $(VENV)
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet -r .requirements.lock
	VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation -e .
else
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else \
	  "Python 3.11 to 3.13 is needed, this is %d.%d: try make PYTHON=python3.12, or install uv" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r .requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	@touch $@

lock:  ## resolve .requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --extra slurm --extra ray --extra dashboard --extra tensorboard --extra search --universal --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-index-url -o .requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
