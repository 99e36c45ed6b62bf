# `make demo` shows what the library does; `make test` tests it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test test-peers test-ray test-install test-versions lint docs rendered benchmark \
  derivatives clean

demo: $(VENV)/installed-demo
	$(BIN)/keras-explainable explain --out demo-output

# PyTorch, the quickest, runs every test in all its cases; tests/conftest.py says which
# TensorFlow and JAX run. `make test CASES=all` runs all.
CASES ?= $(if $(filter torch,$(KERAS_BACKEND)),all,some)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist worksteal --cases $(CASES) -m "not cross_backend and not ray and not install"

test-peers: $(PEERS)/installed
	KERAS_BACKEND=tensorflow $(PEERS)/bin/python -m pytest tests/peers
	KERAS_BACKEND=torch $(PEERS)/bin/python -m pytest tests/peers

# Many processes: tests/distributed starts Ray on this machine, and stops it.
test-ray: $(VENV)/installed-test $(VENV)/installed-ray
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m ray tests/distributed

# The package with one backend alone, in clean environments of several Pythons.
test-install: $(VENV)/installed-test
	$(BIN)/python -m pytest -m install tests/install

# The oldest, newest and coming releases: an hour, and many downloads.
test-versions: $(VENV)/installed-test
	$(INSTALL) uv
	$(BIN)/python tools/test_versions.py

lint: $(VENV)/installed-lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

SPHINX := $(BIN)/sphinx-build -W --keep-going -q -j 2 docs docs/_build/html

docs: $(VENV)/installed-docs
	$(SPHINX)
	$(BIN)/python tools/render_pages.py --check
	@echo "The pages are built: open docs/_build/html/index.html"

# The pages with their outputs, for those who read them on a web page of the repository.
rendered: $(VENV)/installed-docs
	$(SPHINX)
	$(BIN)/python tools/render_pages.py

benchmark: $(VENV)/installed-backends $(PEERS)/installed
	$(BIN)/python -m benchmarks.speed.startup_latency
	$(BIN)/python -m benchmarks.memory.memory_over_repetitions
	$(BIN)/python -m benchmarks.memory.memory_over_calls
	$(BIN)/python -m benchmarks.speed.time_scaling
	$(BIN)/python -m benchmarks.speed.compare_smoothgrad --peers $(PEERS)/bin/python
	$(BIN)/python -m benchmarks.speed.compare_other_methods --peers $(PEERS)/bin/python

# OTHER is a folder of results with another release of Keras (benchmarks.derivatives --out).
derivatives: $(VENV)/installed-backends
	$(BIN)/python -m benchmarks.derivatives --page docs/derivatives_bank.md $(addprefix --other-release ,$(OTHER))

clean:
	rm -rf $(VENV) $(PEERS) demo-output docs/_build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("keras-explainable needs Python 3.11 or later; this is " + sys.version.split()[0] + " (choose another with make PYTHON=...)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-demo: $(BIN)/python pyproject.toml
	@echo "Installing the package and TensorFlow into $(VENV) (a few minutes the first time)"
	$(INSTALL) --editable ".[tensorflow,explore]"
	@touch $@

$(VENV)/installed-backends: $(VENV)/installed-demo
	@echo "Installing the other backends into $(VENV)"
	$(INSTALL) "jax>=0.10,<0.11" "torch==2.13.0"
	@touch $@

$(PEERS)/installed: benchmarks/peers.txt
	@echo "Installing other packages into $(PEERS), to compare with"
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	$(PEERS)/bin/python -m pip install --quiet --no-deps \
	  xplique==2.0.2 zennit==0.5.1 quantus==0.6.0 grad-cam==1.5.7 lxt==2.1
	@touch $@

$(VENV)/installed-%: $(BIN)/python pyproject.toml
	@echo "Installing what '$*' needs into $(VENV)"
	$(INSTALL) --editable ".[tensorflow,$*]"
	@touch $@
