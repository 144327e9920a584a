# Each target works on a fresh clone, in its own .venv: python3, cargo, cc and make are enough.

VENV    := .venv
BIN     := $(VENV)/bin
PYTHON  ?= python3
MATURIN := VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin
RUST    := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
TESTKIT := target/ci/testkit
# What is measured is what users install: the wheel, in an environment of its own.
MEASURED         := target/bench/venv
MEASURED_TESTKIT := target/release/testkit
STUB    := python/thinscope/_core.pyi
FRESH   := target/stubs/thinscope/_core.pyi

SECONDS ?= 60
PARSERS ?= bbolt dmtable lvm_label lvm_text partitions

# Words as an expression of pytest's: one or other.
space   := $(subst ,, )
either   = $(subst $(space), or ,$(strip $(1)))

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1

.PHONY: demo test check lint bench fuzz fuzz-core fuzz-python fixtures golden oracle stub fresh-stub clean

demo: $(VENV)/.built ## the overview of a captured Docker pool
	@$(BIN)/python fixtures/docker_folder.py target/docker
	@$(BIN)/thinscope target/docker

test: $(VENV)/.built $(TESTKIT) ## all tests: the core's, then the package's
	cargo test --profile ci --workspace --quiet
	$(BIN)/python -m pytest

check: lint test ## what CI runs

lint: $(VENV)/.built fresh-stub ## format, lints, types, fixtures, stub
	cargo fmt --all --check
	cargo fmt --manifest-path rust/fuzz/Cargo.toml --check
	cargo clippy --profile ci --workspace --all-targets -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python fixtures/manifest.py --check
	diff $(FRESH) $(STUB)

bench: $(MEASURED)/.built $(MEASURED_TESTKIT) ## time and memory beside thin-provisioning-tools: PDATA_TOOLS=its program BENCH="--help"
	$(MEASURED)/bin/python -m tests.bench $(BENCH)

fuzz: fuzz-core fuzz-python ## fuzz for a minute each: TARGET="pool pack" SECONDS=600

fuzz-core: $(TESTKIT) ## fuzz the core, from the inputs that were kept and pieces of the captured pools on
	@sh rust/fuzz/run $(SECONDS) $(TARGET)

fixtures: $(VENV)/.built ## make the captured pools again, in QEMU: SCENARIO="reclaim crash" KERNEL=6.12
	$(BIN)/python -m fixtures.capture $(SCENARIO) $(if $(KERNEL),--kernel $(KERNEL))
	$(BIN)/python -m pytest --quiet tests/truth $(if $(SCENARIO),-k "$(call either,$(addsuffix -$(KERNEL),$(SCENARIO)))")

golden: $(VENV)/.built ## rewrite what the command line's tests compare with
	THINSCOPE_GOLDEN=1 $(BIN)/python -m pytest --quiet tests/cli

oracle: $(VENV)/.ready $(TESTKIT) ## ask thin-provisioning-tools again: PDATA_TOOLS=its program
	$(BIN)/python -m tests.oracle.derive

stub: fresh-stub ## renew the stub of the compiled core from its doc comments
	cp $(FRESH) $(STUB)

fresh-stub: $(VENV)/.built
	$(MATURIN) generate-stubs --quiet --locked --profile ci --features stubs --out target/stubs
	$(BIN)/ruff format --quiet $(FRESH)

fuzz-python: $(VENV)/.built ## fuzz the parsers in Python: SECONDS=60 for each, PARSERS="bbolt lvm_text"
	@$(BIN)/pip install --group fuzz
	for parser in $(PARSERS); do \
		$(BIN)/python -m tests.fuzz $$parser -max_total_time=$(SECONDS) -verbosity=0 -print_final_stats=1 || exit; \
	done

clean: ## everything that the other targets made
	rm -rf $(VENV) target

$(VENV)/.ready: pyproject.toml
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --upgrade pip
	@$(BIN)/pip install --group dev
	@touch $@

$(VENV)/.built: $(VENV)/.ready $(RUST)
	@echo "building thinscope (about a minute the first time)"
	@$(MATURIN) develop --quiet --locked --profile ci
	@touch $@

$(MEASURED)/.built: $(VENV)/.ready $(RUST) $(shell find python -name '*.py')
	@echo "building the wheel that is measured (some minutes)"
	@rm -rf target/bench/wheel
	@$(MATURIN) build --quiet --locked --release --out target/bench/wheel
	@test -x $(MEASURED)/bin/python || $(PYTHON) -m venv $(MEASURED)
	@$(MEASURED)/bin/pip install "polars>=1.20" "zstandard>=0.23" target/bench/wheel/*.whl
	@$(MEASURED)/bin/pip install --force-reinstall --no-deps target/bench/wheel/*.whl
	@touch $@

$(MEASURED_TESTKIT): $(RUST)
	@echo "building the testkit as it is measured"
	@cargo build --locked --release --quiet --package thinscope-testkit
	@touch $@

$(TESTKIT): $(RUST)
	@echo "building the testkit"
	@cargo build --locked --profile ci --quiet --package thinscope-testkit
	@touch $@
