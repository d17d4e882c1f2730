# make course · make test · make docs · make sync · make release: each makes its own environment in .venv if there is none.
# What they do is in nbs/90_dev.ipynb. PYTHON=python3.12 chooses the Python; PIP_FLAGS goes to pip.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready

.PHONY: course test docs sync release clean
course test docs sync: $(READY)
	@PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m softlabel_nbdev.dev $@

# Tests, builds dist/ and sets the tag; publishing stays a step of your own
release: test
	@PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/python -m softlabel_nbdev.dev $@

$(READY): settings.ini setup.py pyproject.toml
	@test -x $(VENV)/bin/python || { echo "Making the environment $(VENV) (once; a few minutes)"; $(PYTHON) -m venv $(VENV); }
	$(VENV)/bin/python -m pip install -q $(PIP_FLAGS) -e '.[dev]'
	@touch $@

clean:
	rm -rf _docs _proc _course build dist
