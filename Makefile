# The verbs of daily work. `make setup` is enough to use the program; `make demo` shows it; `make test` proves it.
.PHONY: help setup demo test quick lint bench chaos faults services docs wheel clean developer servers oracles transcripts

# rustup puts cargo here; the shell in which it ran does not know it yet, and an older cargo may come first on the path.
export PATH := $(HOME)/.cargo/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# The first Python on the path that is new enough; an older python3 stays, for the sentence that says so.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; exit; fi; done; echo python3)
BIN := .venv/bin
CRATE := --manifest-path rust/Cargo.toml
RUST := rust/Cargo.toml $(wildcard rust/Cargo.lock) $(shell find rust/src -name '*.rs')
RULES := $(wildcard trading_system/rules/*.py)
# The crate's Python side is checked against this Python and no other.
export PYO3_PYTHON = $(CURDIR)/$(BIN)/python

help:
	@echo "make setup   build everything into .venv"
	@echo "make demo    seven days of a synthetic market, offline, compared with the backtest; EXCHANGE=bybit_linear"
	@echo "make test    all checks and tests;  make quick: those for after each edit;  make lint: no tests"
	@echo "make servers  install what tests start: redis-server, FerretDB, ccxt and pybit; make test does it as well"
	@echo "make transcripts  let unmodified ccxt and pybit trade on the simulators and write docs/oracles.md"
	@echo "make chaos   kill the line at named points, restart it, compare: a table of points and outcomes; EXCHANGE=..."
	@echo "make faults   what a market can do wrong on every venue, how long the line took, and what each repair rule is for"
	@echo "make services  the services as processes of their own on real servers: the same trades, whatever dies"
	@echo "make bench   measure;  make docs: rewrite generated tables;  make clean: remove what was built"
	@echo "make wheel   a file in dist/ that pip installs on other machines of this kind, without Rust"

setup: .venv/installed .venv/rules-compiled

.venv/installed: pyproject.toml deploy/check_tools.sh $(RUST)
	@deploy/check_tools.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the program and building the feed (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/rules-compiled: .venv/installed $(RULES)
	@echo "Compiling the rules ..."
	@$(BIN)/python -c 'from trading_system.rules.detection import warm; warm()'
	@touch $@

# What only tests and checks need, read from the same table that `pip install .[dev]` reads.
.venv/developer: .venv/installed
	@deploy/check_tools.sh $(PYTHON) lint
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["dev"], sep="\n")' > $@.txt
	@$(BIN)/python -m pip install --quiet --requirement $@.txt
	@touch $@

developer: setup .venv/developer

demo: setup
	@$(BIN)/trading-system demo $(if $(EXCHANGE),--exchange $(EXCHANGE))

lint: developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt $(CRATE) --check
	cargo clippy --quiet $(CRATE) --all-targets --features pyo3 -- -D warnings

# What the tests start: Debian's redis-server, FerretDB in .venv/servers, and other people's clients.
servers: .venv/servers/ferretdb oracles
	@deploy/install_servers.sh
	@deploy/compose_tool.sh

.venv/servers/ferretdb: $(wildcard tests/servers/ferretdb/*) | setup
	@tests/servers/ferretdb/build.sh $@ $(BIN)/python

# Other people's clients, unchanged and each in an environment of its own; tests let them trade on the simulator.
oracles: .venv/oracles/ccxt/installed .venv/oracles/pybit/installed
	@command -v openssl >/dev/null || { echo "openssl is missing, which makes the certificate of the tests' TLS port: \
	install it with 'sudo apt-get install -y openssl' and run this again." >&2; exit 1; }

.venv/oracles/%/installed: tests/oracles/%.txt | setup
	@echo "Installing $* for the tests ..."
	@$(BIN)/python -m venv --clear .venv/oracles/$*
	@.venv/oracles/$*/bin/python -m pip install --quiet --requirement $<
	@touch $@

# What those clients see of the simulator, written to docs/oracles.md.
transcripts: developer oracles
	@$(BIN)/python tests/e2e/oracle_page.py

test: lint servers
	cargo test --quiet $(CRATE)
	$(BIN)/python -m pytest -n 2 --dist loadfile

quick: developer servers
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 -m "not slow and not shared"

bench: developer servers
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark || exit 1; done

# Two minutes on two idle cores.
chaos: setup
	@$(BIN)/python tests/e2e/chaos.py $(EXCHANGE)

# Some six minutes: a table of what a market can do wrong, on every venue, with recovery times and controls.
faults: setup
	@$(BIN)/python tests/e2e/market_faults.py

# Some ten minutes: eight processes trade two days on Redis and a MongoDB-compatible store, then under disturbances.
services: developer servers
	@$(BIN)/python tests/e2e/play_services.py

docs: setup
	@if test -f docs/generate.py; then $(BIN)/python docs/generate.py; else echo "No page is generated yet."; fi

# What pip needs to install the program without Rust: the feed is built in, for every Python from 3.11 on.
wheel:
	@deploy/check_tools.sh $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

clean:
	rm -rf .venv rust/target build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f trading_system/_feed*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
