PYTHON ?= python3.11
# A file in one process: its fixtures are made once.
PYTEST_ARGS ?= -n 2 --dist loadfile
VENV := .venv
VENV_STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.docs_installed
SITE := docs/_build/html
DEMO_DIR := runs/digits
DEMO_EXPORT := exports/digits

# Errors only, from TensorFlow's C++ runtime.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test lint format docs notebooks clean venv

# Trains on the embedded digits, evaluates, samples and exports: no download, no accelerator.
demo: $(VENV_STAMP)
	$(VENV)/bin/python bin/train.py --flagfile=digits.flags --train_dir=$(DEMO_DIR)
	$(VENV)/bin/python bin/evaluate.py --train_dir=$(DEMO_DIR)
	$(VENV)/bin/python bin/sample.py --train_dir=$(DEMO_DIR)
	$(VENV)/bin/python bin/export.py --train_dir=$(DEMO_DIR) --output=$(DEMO_EXPORT)
	@echo "Checkpoints, logs, results and samples are in $(DEMO_DIR):"
	@find $(DEMO_DIR) -maxdepth 2 -type f | sort
	@echo "The newest version for TensorFlow Serving:"
	@ls -d $(DEMO_EXPORT)/* | sort -V | tail -n 1

# All tests, the slow ones too.
test: $(VENV_STAMP)
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

lint: $(VENV_STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV_STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The documentation as a site, which opens from the disk. Every warning of Sphinx is an error.
docs: $(DOCS_STAMP)
	$(VENV)/bin/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet docs $(SITE)
	$(VENV)/bin/python docs/check_site.py $(SITE)
	@echo "The site is in $(SITE): open index.html."

# Runs the notebooks of examples/ and keeps their outputs.
notebooks: $(DOCS_STAMP) $(DEMO_DIR)/results.json
	$(VENV)/bin/python docs/execute_notebooks.py

$(DEMO_DIR)/results.json:
	$(MAKE) demo

venv: $(VENV_STAMP)

# The stamp is touched last, so an interrupted set-up is started again.
$(VENV_STAMP): requirements.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -r requirements.txt
	$(VENV)/bin/pip install --no-deps -e .
	touch $@

# Together, so that pip sees where the two would want different versions.
$(DOCS_STAMP): $(VENV_STAMP) docs/requirements.txt
	$(VENV)/bin/pip install -r requirements.txt -r docs/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build docs/examples/*.ipynb *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
