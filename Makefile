# An interpreter; empty: the newest that works, see bin/choose_python.sh.
PYTHON ?=
# A file in one process: its fixtures are made once.
PYTEST_ARGS ?= -n 2 --dist loadfile
VENV := .venv
VENV_STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.docs_installed
PAGE_STAMP := $(VENV)/.page_installed
SITE := docs/_build/html
DEMO_DIR := runs/digits
DEMO_EXPORT := exports/digits

# Of an interpreter: 3.12, of what it answers, "Python 3.12.1".
minor_version = $(basename $(word 2,$(shell { '$(1)' --version; } 2>/dev/null)))

.PHONY: demo test lint format docs notebooks page clean venv

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

# All tests, the slow ones too; of TensorFlow's C++ runtime errors only.
test: export TF_CPP_MIN_LOG_LEVEL ?= 2
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

# Gradio, of which bin/explore.py makes its page. Without it, tests of the page are skipped.
page: $(PAGE_STAMP)

venv: $(VENV_STAMP)

# A Python that is named and is not that of .venv makes it anew.
ifneq ($(PYTHON),)
ifneq ($(call minor_version,$(PYTHON)),$(call minor_version,$(VENV)/bin/python))
.PHONY: $(VENV_STAMP)
endif
endif

# The stamp is touched last, so an interrupted set-up is started again.
$(VENV_STAMP): requirements.txt setup.py
	$(eval CHOSEN := $(shell sh bin/choose_python.sh '$(PYTHON)' 2>&1))
	$(if $(filter error:,$(CHOSEN)),$(error $(wordlist 2,99,$(CHOSEN))))
	$(eval SAME := $(filter $(call minor_version,$(CHOSEN)),$(call minor_version,$(VENV)/bin/python)))
	'$(CHOSEN)' -m venv $(if $(SAME),,--clear) $(VENV)
	$(VENV)/bin/pip install -r requirements.txt
	$(VENV)/bin/pip install --no-deps -e .
	touch $@

# Together, so that pip sees where the two would want different versions.
$(DOCS_STAMP): $(VENV_STAMP) docs/requirements.txt
	$(VENV)/bin/pip install -r requirements.txt -r docs/requirements.txt
	touch $@

$(PAGE_STAMP): $(VENV_STAMP) tests/explore/requirements.txt
	$(VENV)/bin/pip install -r requirements.txt -r tests/explore/requirements.txt
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build docs/examples/*.ipynb *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
