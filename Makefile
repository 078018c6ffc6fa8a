# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-kernels check format docs bench-data bench-train bench-gpu clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv and install bertsmith with everything for development

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "bertsmith needs Python 3.11 or newer: make setup PYTHON=python3.11"; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) \
	  || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## From text on this machine to a fine-tuned BERT, with a report, in minutes
	$(BIN)/bertsmith demo --output demo

test: $(STAMP) ## The default tests, a few minutes
	$(PYTEST) -n auto

test-slow: $(STAMP) ## The longer tests; those on real data need BERTSMITH_DATA
	$(PYTEST) -n auto -m 'slow and not gpu and not whole_machine' --durations=15
	$(PYTEST) -m 'slow and not gpu and whole_machine' --durations=15

# GCC's sanitizers watch addresses, and what C leaves undefined. What is multiplied on AMX's tiles is multiplied
# on vectors too, as with AVX512-BF16 alone (-DWITHOUT_AMX).
EMULATION := tests/emulation/amx.h -DSUM=$(shell cksum < tests/emulation/amx.h | cut -d ' ' -f 1)
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -g1 \
  --param asan-instrumentation-with-call-threshold=50

ON_TILES := products vocabulary vocabulary_loss attention encoder_layer layer_modules kernels_bounds

test-kernels: export EMULATED = env -u LD_PRELOAD gcc -include $(EMULATION) $(SANITIZERS)
test-kernels: export ASAN_OPTIONS = detect_leaks=0
test-kernels: export GOMP_SPINCOUNT = 1000
test-kernels: export PRELOADED = $(shell for name in asan ubsan stdc++; do gcc -print-file-name=lib$$name.so; done)
test-kernels: $(STAMP) ## The C kernels as with AMX, and with AVX512-BF16 alone, with GCC's sanitizers
	$(call test_emulated,,$(filter-out %_library.py,$(wildcard tests/unit/model/test_cpu_*.py)))
	$(call test_emulated,-DWITHOUT_AMX,$(ON_TILES:%=tests/unit/model/test_cpu_%.py))

define test_emulated
export CC="$$EMULATED $(1)"; \
  LD_PRELOAD="$$PRELOADED" $(BIN)/python -c \
  'from bertsmith.model import cpu_kernels; raise SystemExit(cpu_kernels.why_no_kernels())' && \
  LD_PRELOAD="$$PRELOADED" $(PYTEST) -n auto --capture=no $(2)
endef

check: $(STAMP) ## Lint, format, types, and the arrows between the rooms
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(STAMP) ## The documentation, into site/; a wrong link or command stops it
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench-data: $(STAMP) ## The data engine's figures; needs BERTSMITH_DATA (and GOOGLE_BERT)
	$(BIN)/python -m benchmarks.data

bench-train: $(STAMP) ## Training on this machine's cores against transformers; BERTSMITH_DATA for real text
	$(BIN)/python -m benchmarks.training.cpu

bench-gpu: $(STAMP) ## Training on one GPU against transformers, in ten minutes; STORE=folder
	$(BIN)/python -m benchmarks.training.gpu $(if $(STORE),--store $(STORE))

format: $(STAMP) ## Put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what the commands above made
	rm -rf $(VENV) demo site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
