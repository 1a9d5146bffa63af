PYTHON ?= python3
BIN := .venv/bin
export TEST_POSTGRES_URL ?= postgres://postgres@127.0.0.1:5432/postgres

# For 2 cores. The quick tests wait more than they work; each slow one starts several processes.
WORKERS ?= 4
SLOW_WORKERS ?= 3
# These use no database: once is enough.
NO_DATABASE = tests/processes tests/backends/test_process.py

.PHONY: help run demo test test-sqlite test-postgres test-slow wheel check docs chaos soak bench proto browser screenshots clean
help: ## Tell what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

run: $(BIN)/.run ## Set all up and start web, scheduler and gRPC on SQLite
	@$(BIN)/python -m memory_project.run

demo: $(BIN)/.run ## The same with 40 jobs and a month of history, in a database of its own
	@$(BIN)/python -m memory_project.demo

test: test-sqlite test-postgres ## Set all up and run the quick tests on SQLite, and on PostgreSQL

test-sqlite: $(BIN)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-postgres: $(BIN)/.dev
	TEST_DATABASE=postgres $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-slow: $(BIN)/.dev ## Run the tests that start processes, cause faults or try histories, on both
	$(BIN)/python -m pytest -m 'slow and not chaos and not wheel and not browser' -n $(SLOW_WORKERS) --dist worksteal
	TEST_DATABASE=postgres $(BIN)/python -m pytest -m 'slow and not chaos and not wheel and not browser' -n $(SLOW_WORKERS) --dist worksteal $(NO_DATABASE:%=--ignore %)

browser: $(BIN)/.dev ## Run the tests of the admin in Chromium (apt-get install chromium npm)
	$(BIN)/python -m pytest tests/browser -m browser -n 2

screenshots: $(BIN)/.dev ## Take the pictures in docs/screenshots of a demonstration that runs
	$(BIN)/python -m tests.browser.screenshots

wheel: $(BIN)/.dev ## Install the built wheel in new projects, for each Python that there is
	$(BIN)/python -m pytest tests/wheel -m wheel -n 2

check: $(BIN)/.dev ## Check style, types, rooms, settings, migrations and the documentation's links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -W error manage.py check --fail-level WARNING
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/mkdocs build --quiet --site-dir dist/docs

docs: $(BIN)/.dev ## Build the documentation into dist/docs
	$(BIN)/mkdocs build --quiet --site-dir dist/docs

chaos: $(BIN)/.dev ## Every fault in full length, on SQLite and on PostgreSQL (some seventeen minutes)
	$(BIN)/python -m pytest tests/chaos -m chaos
	TEST_DATABASE=postgres $(BIN)/python -m pytest tests/chaos -m chaos

MINUTES ?= 10
DATABASE ?= postgres sqlite
soak: $(BIN)/.dev ## Random faults for MINUTES=10 on each DATABASE="postgres sqlite", drawn from SEED=n
	@code=0; for database in $(DATABASE); do \
		$(BIN)/python -m tests.soak --minutes $(MINUTES) --database $$database $(if $(SEED),--seed $(SEED)) || code=1; \
	done; exit $$code

bench: $(BIN)/.dev ## Measure against plain django-apscheduler (a quarter of an hour); PARTS="idle --seconds 20" for less
	$(BIN)/python -m benchmarks $(PARTS)

STUBS = scheduler_app/rpc/stubs
proto: $(BIN)/.dev ## Make what the stubs read anew from protos/memory.proto
	$(BIN)/python -m grpc_tools.protoc -Iprotos --include_imports --descriptor_set_out=$(STUBS)/memory.binpb --pyi_out=$(STUBS) memory.proto

clean: ## Remove the environments; keep .env and the database
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(BIN)/.run: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(BIN)/.dev: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(BIN)/.run
