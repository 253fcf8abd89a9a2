# Everything below .outrider/, node_modules/ and staticfiles/; nothing is installed on the system.
VEHICLES ?= 60
PORT ?= 8000
SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help setup services demo test check bench bench-ui stop clean screenshots openapi
# Targets change one another's folders.
.NOTPARALLEL:

PYTHON := scripts/python
OURS := .outrider/venv/bin/python
export PYTHONUNBUFFERED := 1
# Where it is set, each of our processes compiles two thousand modules anew: 8 s instead of 3.
unexport PYTHONDONTWRITEBYTECODE

help:
	@echo 'make demo [VEHICLES=60] [PORT=8000]   set up, then run the whole product until Ctrl-C'
	@echo 'make test                             set up, then run every check and every test'
	@echo ''
	@echo 'make setup        Python packages, front-end packages, secrets of this checkout'
	@echo 'make services     TimescaleDB and Redis, unless DATABASE_URL and REDIS_URL name yours'
	@echo 'make check        ruff, mypy, import-linter, migrations, deployment check, OpenAPI file'
	@echo 'make openapi      write docs/openapi.yaml anew'
	@echo 'make bench        measure on this machine; writes docs/figures.md and docs/figures.json'
	@echo 'make bench-ui     measure the console in a browser [SECONDS=600]; into the same pages'
	@echo 'make screenshots  take the pictures of the documentation anew'
	@echo 'make stop         stop everything this checkout started'
	@echo 'make clean        stop, and remove everything that was set up, the data included'

setup:
	@$(PYTHON) scripts/bootstrap.py

services: setup
	@$(OURS) scripts/services.py up

demo: setup
	@$(OURS) scripts/demo.py --vehicles '$(VEHICLES)' --port '$(PORT)'

test:
	@$(PYTHON) scripts/bootstrap.py --browser
	@$(OURS) scripts/run_tests.py

check: setup
	@$(OURS) scripts/checks.py

openapi: setup
	@$(OURS) scripts/checks.py --write-openapi

bench: services
	@$(OURS) -m bench

bench-ui: services
	@$(PYTHON) scripts/bootstrap.py --browser
	@$(OURS) -m bench --phases console --seconds '$(SECONDS)'

screenshots:
	@$(PYTHON) scripts/bootstrap.py --browser
	@$(OURS) scripts/screenshots.py

stop:
	@$(PYTHON) scripts/demo.py --stop
	@$(PYTHON) scripts/services.py down

clean: stop
	@$(PYTHON) scripts/services.py wipe
	@rm -rf .outrider node_modules staticfiles
