# make course · make test · make docs · make sync. Each makes its own environment in .venv if there is none.
# PYTHON=python3.12 chooses the Python, PIP_FLAGS goes to pip.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready
export PATH := $(abspath $(VENV))/bin:$(PATH)
export OMP_NUM_THREADS ?= 1
export SOFTLABEL_DATA ?= digits

.PHONY: course test docs sync clean
course docs sync: $(READY)
	@python -m tools $@

# The notebooks are one of the tests: tests/test_notebooks.py runs nbdev-test
test: $(READY)
	@python -m pytest

$(READY): settings.ini setup.py pyproject.toml
	@test -x $(VENV)/bin/python || { echo "Making the environment $(VENV) (once; a few minutes)"; $(PYTHON) -m venv $(VENV); }
	$(VENV)/bin/python -m pip install -q $(PIP_FLAGS) -e '.[dev]'
	@touch $@

clean:
	rm -rf _docs _proc _course build dist
