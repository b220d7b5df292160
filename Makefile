# make run [PORT=8001] [WORKERS=2]   set up, make the demo, serve; Ctrl-C stops everything
# make test                          the whole suite on SQLite; make test-postgres on PostgreSQL
# make bench [ARGS=--quick]          this server beside others: docs/performance.md, 15 minutes
# make latency                       commit to receipt, measured on a server of its own
# make faults [SECONDS=600] [SEED=7]  everything under random faults, compared with the log
# make conformance                   RFC 6455: the Autobahn cases, and docs/conformance.md
# make check                         format, lint, types, import directions, migrations, API schema

.PHONY: help install install-dev native run test test-postgres check bench conformance latency faults
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
MANAGE := $(PY) manage.py
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-input
# Most of the suite's time is waiting for real processes. Modules stay whole, so that their servers
# are started once (tests/sharing.py).
SIDE_BY_SIDE := -n 4 --dist loadfile
# Faults and their times have the machine to themselves, but for what they spend waiting.
FAULTS := -n 2 --dist loadfile
# Servers that tests and measurements start would be compiled anew each time: a third of their start.
unexport PYTHONDONTWRITEBYTECODE
# 3.11 first: it is what everything is tested with.
PYTHONS := python3.11 python3 python3.12 python3.13 python3.14
SUITABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# Ends the server when make is killed, however that happens (Linux), so that nothing stays behind.
TIED := import os, signal, sys; from realtime.embedded.lifetime import die_with_parent; \
	die_with_parent(int(sys.argv[1]), signal.SIGTERM); \
	os.execv(sys.executable, [sys.executable, "manage.py", "serve", *sys.argv[2:]])

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# The stamps are younger than the requirements that were installed last.
$(VENV)/.installed: requirements.txt requirements-search.txt
	@for python in $(PYTHONS); do \
		if "$$python" -c '$(SUITABLE)' >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Expected Python 3.11 or newer with venv (one of: $(PYTHONS)), got none." >&2; \
		echo "On Debian or Ubuntu: apt-get install python3.11 python3.11-venv" >&2; \
		exit 1; \
	fi; \
	echo "Preparing $(VENV) with $$found; the first time takes a minute." >&2; \
	$(PY) -c 'import pip; $(SUITABLE)' >/dev/null 2>&1 || "$$found" -m venv --clear $(VENV)
	@$(PIP) -r requirements.txt
	@$(PIP) -r requirements-search.txt || \
		echo "No language model for this Python or system: memories are searched by keywords." >&2
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt $(VENV)/.installed
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.installed-bench: requirements.txt requirements-bench.txt $(VENV)/.installed
	@$(PIP) -r requirements-bench.txt
	@touch $@

install: $(VENV)/.installed native
install-dev: $(VENV)/.installed-dev native

# A few lines of C, where there is a compiler. Everything works without.
native: $(VENV)/.installed
	@$(PY) -m realtime.hub.compiling

run: install
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) demo
	@exec $(PY) -c '$(TIED)' $$PPID $(if $(PORT),--port $(PORT)) $(if $(WORKERS),--workers $(WORKERS))

test: install-dev
ifdef ARGS
	$(PY) -m pytest $(ARGS)
else
	$(PY) -m pytest $(SIDE_BY_SIDE) --ignore=tests/faults
	$(PY) -m pytest $(FAULTS) tests/faults
endif

test-postgres: install-dev
ifdef ARGS
	$(PY) -m tests.postgres --no-fsync -- $(PY) -m pytest $(ARGS)
else
	$(PY) -m tests.postgres --no-fsync -- $(PY) -m pytest $(SIDE_BY_SIDE) --ignore=tests/faults
	$(PY) -m tests.postgres --no-fsync -- $(PY) -m pytest $(FAULTS) tests/faults
endif

faults: install-dev
	$(PY) -m tests.faults $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: install-dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .
	$(PY) -m pytest -q tests/test_imports.py
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) spectacular --validate --fail-on-warn --file /dev/null

conformance: install-dev
	$(PY) -m tests.conformance

latency: install-dev
	$(PY) -m bench.latency $(ARGS)

# Peers that are not installed are skipped with the command that installs them.
bench: $(VENV)/.installed-dev $(VENV)/.installed-bench native
	$(PY) -m bench.run $(ARGS)
