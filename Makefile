# The front door. Every target sets up what it needs on a machine with Python 3.11+, Node 20+ and Debian's apt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUNDLE := gemstream_widget/static/widget.js
EXAMPLE := 01_first_answer.ipynb
JS_SOURCES := $(shell find js -name '*.ts' -o -name '*.css' -o -name '*.mjs' 2>/dev/null)

KERNELS := 6.31.0 7.0.1 7.3.0 7.4.0

.PHONY: demo test lint types build bench proof live matrix lowest kernels chromium clean

# -- what a person runs ------------------------------------------------------------------------------------------------

# Open JupyterLab on the first example; `make demo BROWSER=no` prints the address instead.
demo: $(VENV)/.ready $(BUNDLE)
	$(BIN)/python -m jupyterlab --allow-root --ServerApp.ip=127.0.0.1 --ServerApp.root_dir=examples \
	  --LabApp.default_url=/lab/tree/$(EXAMPLE) $(if $(filter no,$(BROWSER)),--no-browser)

# All tests: Python, TypeScript, and a real JupyterLab in a real Chromium; first of all on the oldest dependencies.
test: lint types lowest chromium
	npm test --silent
	$(BIN)/python -m pytest -q -m "not browser" -n 2 --dist worksteal
	$(BIN)/python -m pytest -q -m browser -n 2 --dist loadfile

# The budgets, measured: one table. BENCH=quick for a first look.
bench: $(VENV)/.ready $(BUNDLE) chromium
	$(BIN)/python -m benchmarks $(BENCH)

# Reliability, tried: one table. PROOF=quick tries less often, PROOF=NAME one group.
proof: $(VENV)/.ready $(BUNDLE) kernels chromium
	$(BIN)/python -m proof $(PROOF)

# The real Gemini, tried once with your key: one table, and a recording without the key. LIVE="--model NAME" asks another.
live: $(VENV)/.ready
	$(BIN)/python -m proof.live $(LIVE)

# Every run-time dependency at its lowest and its newest: a table, docs/environments.md. PYTHONS="python3.13 ..." are
# others to try; those that are found by these names are tried anyway.
matrix: $(VENV)/.ready $(BUNDLE)
	$(BIN)/python -m proof.matrix $(PYTHONS:%=--python %)

# The lowest of all of them alone.
lowest: $(VENV)/.ready $(BUNDLE)
	$(BIN)/python -m proof.matrix --only lowest

build: $(VENV)/.ready $(BUNDLE)
	$(BIN)/python -m build --outdir dist .

lint: $(VENV)/.ready node_modules/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	npx --no-install biome check js

types: $(VENV)/.ready node_modules/.ready $(BUNDLE)
	$(BIN)/mypy
	npx --no-install tsc --noEmit -p js

clean:
	rm -rf dist build node_modules/.ready $(VENV)/.ready .kernels/*/.ready .kernels/matrix gemstream_widget/static/*

# -- what they need ----------------------------------------------------------------------------------------------------

$(VENV)/.ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	SKIP_BUNDLE=1 $(BIN)/python -m pip install --quiet --editable '.[demo,test]'
	touch $@

# Environments for `make proof`: one per ipykernel, and one of marimo, which has none.
kernels: $(KERNELS:%=.kernels/%/.ready) .kernels/marimo/.ready

.kernels/marimo/.ready: pyproject.toml
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	SKIP_BUNDLE=1 $(@D)/bin/python -m pip install --quiet marimo --editable .
	$(@D)/bin/python -m pip uninstall --quiet --yes ipykernel
	touch $@

.kernels/%/.ready: pyproject.toml
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	SKIP_BUNDLE=1 $(@D)/bin/python -m pip install --quiet ipykernel==$* --editable .
	touch $@

node_modules/.ready: package.json package-lock.json
	npm ci --no-audit --no-fund --silent
	touch $@

$(BUNDLE): node_modules/.ready package-lock.json $(JS_SOURCES)
	npm run build --silent
	touch $@

# The browser of the tests. Without root or apt, install Chromium yourself or point GEMSTREAM_CHROMIUM at one.
chromium:
	@command -v chromium google-chrome >/dev/null || test -x "$(GEMSTREAM_CHROMIUM)" || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; }
