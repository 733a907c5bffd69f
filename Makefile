# make run: everything from nothing to results/STUDY/index.html. make test: everything from nothing to passed tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
STUDIES ?=
S3 := .venv-s3
MARK := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# Snakemake keeps a cache below the home folder; where that cannot be written, it goes below .snakemake
HOME_CACHE := $${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake
CACHE := $(shell mkdir -p "$(HOME_CACHE)" 2>/dev/null && test -w "$(HOME_CACHE)" || echo XDG_CACHE_HOME=$(CURDIR)/.snakemake/cache)
SNAKEMAKE := $(CACHE) $(BIN)/snakemake --cores $(CORES)
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help env s3 run test lint format bench gallery schema docs site lock clean

help:
	@echo 'make env     install the pinned environment into $(VENV)'
	@echo 'make run     build the studies of config/config.yaml up to results/STUDY/index.html (STUDIES=a,b for others)'
	@echo 'make test    run the tests'
	@echo 'make s3      install the S3 server that the tests use into $(S3)'
	@echo 'make lint    check format, style, types, rules'
	@echo 'make format  put Python and rules into format'
	@echo 'make bench   print the table of benchmarks'
	@echo 'make gallery write docs/results.md, docs/sweeps.md, docs/text_to_image.md, docs/pages, docs/first_findings.md from the studies that are built'
	@echo 'make schema  write the JSON schema and config/README.md from the study models'
	@echo 'make docs    write docs/equations.md from docstrings and tests'
	@echo 'make site    build the documentation site into site/'
	@echo 'make lock    resolve the newest versions into requirements.lock'
	@echo 'make clean   remove results, logs and records of runs'

env: $(MARK)

$(MARK): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Underpainting needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...'; exit 1; }
	@echo 'installing the pinned environment into $(VENV); the first time this takes some minutes'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

run: env
	$(SNAKEMAKE) $(if $(STUDIES),--config studies=$(STUDIES))
	@echo 'the pages are results/STUDY/index.html'

# An S3 server for the tests, in an environment of its own: it wants another botocore than DVC does.
s3: $(S3)/.installed

$(S3)/.installed: tests/s3-server.lock
	@$(PYTHON) -m venv $(S3)
	@$(S3)/bin/python -m pip --disable-pip-version-check --quiet --quiet install --requirement tests/s3-server.lock
	@touch $@

test: env s3
	$(BIN)/pytest

lint: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile rules
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python workflow/lint.py

format: env
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/snakefmt Snakefile workflow/Snakefile rules

bench: env
	$(BIN)/python -m benchmarks

gallery: env
	$(BIN)/python workflow/gallery.py
	$(BIN)/python workflow/sweeps.py
	$(BIN)/python workflow/latent_gallery.py
	$(BIN)/python workflow/study_pages.py
	$(BIN)/python workflow/first_findings.py

schema: env
	$(BIN)/python -m underpainting_workflow.studies

docs: env
	$(BIN)/python workflow/equations.py

# Builds without network access; warnings are errors.
site: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --config-file workflow/mkdocs.yml

# torch and torchvision stay at the versions of pins.txt; the other packages are the newest that go with them
lock: env
	$(PIP) install uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra docs --universal --python-version 3.11 \
	  --constraint pins.txt --no-emit-index-url --no-header --quiet --output-file requirements.lock
	echo 'moto[server]' | $(BIN)/uv pip compile - --universal --python-version 3.11 \
	  --no-emit-index-url --no-header --quiet --output-file tests/s3-server.lock

clean:
	rm -rf results logs site .snakemake
