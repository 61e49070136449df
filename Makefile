# Everything a fresh machine with python3, pip and make needs: make demo, make test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
RUN    := scripts/with_display
# Processes that tests are spread over; each takes up to a few GB.
WORKERS ?= 2
OTHERS := .venv-oracles

.PHONY: demo test coverage check shots bench oracles bundle samples clean

demo: $(STAMP) $(VENV)/.display
	@if [ "$$(uname -s)" != Linux ] || [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(BIN)/grisaille demo; \
	else $(RUN) $(BIN)/grisaille demo --screenshot demo.png; fi

test: $(STAMP) $(VENV)/.display
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --hypothesis-profile=ci

coverage: $(STAMP) $(VENV)/.display
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term:skip-covered

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

shots: $(STAMP) $(VENV)/.display
	$(RUN) $(BIN)/python docs/make_shots.py

bench: $(STAMP) $(VENV)/.display
	$(BIN)/pip install -q -e ".[bench]"
	$(RUN) $(BIN)/python benchmarks/run_all.py

# Other people's libraries as judges; they never share an environment with grisaille.
oracles: $(STAMP) $(OTHERS)/.installed
	$(BIN)/python benchmarks/oracles/run_all.py $(OTHERS)/bin/python

$(OTHERS)/.installed: benchmarks/oracles/requirements.txt
	test -x $(OTHERS)/bin/python || $(PYTHON) -m venv $(OTHERS)
	$(OTHERS)/bin/python -m pip install --quiet -r benchmarks/oracles/requirements.txt
	touch $@

samples: $(STAMP)
	$(BIN)/python -m grisaille.flows.make_samples sample_volumes

bundle: $(STAMP)
	$(BIN)/python -m grisaille.flows.make_bundle mvg-phantom.safetensors

clean:
	rm -rf $(VENV) $(OTHERS) dist build

# The environment is made anew only when what it is made from changes.
$(STAMP): pyproject.toml napari.yaml $(wildcard sample_volumes/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[all,dev]"
	touch $@

# napari needs a screen and the xcb libraries.
$(VENV)/.display: scripts/install_display
	scripts/install_display
	touch $@
