# Works with nothing but python3 (3.11 or newer), pip and make: everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ARGS ?=
SEEDS ?= 200
KILLS ?= 10000
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

.PHONY: help install clients conformance run test hunt check format bench bench-quick chaos mutants docs lock clean

help:
	@echo "make run          start the default session (ARGS='--speed max' passes options on)"
	@echo "make test         run all tests (ARGS='-k venue' passes options on; PAGE_SLOWDOWN=6 slows the page in its browser)"
	@echo "make hunt         property tests with many new examples (those of make test are always the same)"
	@echo "make check        format, lint, types, layers"
	@echo "make format       put files into the agreed format"
	@echo "make bench        full measurements beside peers (20 minutes); bench-quick: the short ones, without peers"
	@echo "make chaos        simulated worlds on every core (SEEDS=20000 for a night) and KILLS deaths of the order machine,"
	@echo "                  figures into docs/reliability.md"
	@echo "make mutants      deliberate defects, each until a world catches it, into docs/mutants.md"
	@echo "make conformance  run other people's clients on the simulator, and write docs/conformance.md"
	@echo "make docs         generate what comes from code, and build the documentation into site/"
	@echo "make lock         resolve the dependencies anew"
	@echo "make install      the virtual environment in .venv"

install: $(INSTALLED)

# The stamp is newer than the two files that decide what is installed, or the install is done again.
$(INSTALLED): requirements.lock pyproject.toml tools/bootstrap.py
	@$(PYTHON) tools/bootstrap.py $(VENV)
	@touch $@

# Other people's clients need an environment of their own; without it their tests are skipped.
clients: $(INSTALLED)
	@$(BIN)/python -m tools.clients_env

conformance: $(INSTALLED)
	@$(BIN)/python -m tools.conformance

run: $(INSTALLED)
	@$(BIN)/genesis run $(ARGS)

# Two processes for each core, since half of the time a test waits; ARGS='-n 0' for one alone, with a debugger for example.
test: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

hunt: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(WORKERS) -m hypothesis --hypothesis-profile hunt $(ARGS)

# Every tool has its say, then the first that was not content fails the whole.
check: $(INSTALLED)
	@status=0; \
	for tool in "ruff format --check --quiet ." "ruff check --output-format concise ." mypy "lint-imports --no-logo" \
		"python -m tools.check_layers" "python -m tools.check_async"; do \
		echo "== $$tool"; $(BIN)/$$tool || status=1; \
	done; \
	exit $$status

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	@$(BIN)/python -m tools.bench $(ARGS)

bench-quick: $(INSTALLED)
	@$(BIN)/python -m tools.bench --quick $(ARGS)

chaos: $(INSTALLED)
	@$(BIN)/genesis chaos --seeds $(SEEDS) --jobs 0 --report docs/reliability.md $(ARGS)
	@$(BIN)/python -m tools.order_proof --kills $(KILLS) --report

mutants: $(INSTALLED)
	@$(BIN)/genesis chaos --mutants --seed 1000 --seeds 200 --hours 0.25 --faults 40 --jobs 0 --report docs/mutants.md $(ARGS)
	@$(BIN)/python -m tools.order_proof --kills 1000 --mutants --report

docs: $(INSTALLED)
	@$(BIN)/python -m tools.generate_docs
	@$(BIN)/python -m tools.grafana_dashboard
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site && echo "built site/index.html"

lock: $(INSTALLED)
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--all-extras --group dev --quiet --custom-compile-command "make lock" --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--extra fast --extra redis --quiet --custom-compile-command "make lock" --constraints requirements.lock \
		--output-file requirements-engine.lock
	$(BIN)/uv pip compile requirements-clients.in --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --quiet --custom-compile-command "make lock" --output-file requirements-clients.lock
	$(BIN)/uv pip compile requirements-feed.in --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --quiet --custom-compile-command "make lock" --output-file requirements-feed.lock
	@for peer in tools/bench/peers/*.in; do \
		$(BIN)/uv pip compile $$peer --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
			--custom-compile-command "make lock" --output-file $${peer%.in}.lock || exit 1; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .async_cache .hypothesis dist
