# All paths are relative, so that the checkout may lie anywhere, spaces and accents included.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# stops make with one line, or is nothing
WRITABLE = $(if $(shell test -w . && echo yes),,$(error This folder is read-only: copy it to one that you may write to, and run make there))

# one make at a time runs the rest of such a line; a lock ends with who holds it
LOCKED = mkdir -p .venv && exec 9>.venv/.lock && $(PYTHON) -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' &&

.DEFAULT_GOAL := help
.PHONY: help book test soak mutation oldest twice digits pdf class lab assignments grade comparison bench lock clean
# a target whose recipe failed half-way must not look finished next time
.DELETE_ON_ERROR:

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

# pip takes for installed what was killed half-way; INSTALLER is what it writes after the programs
$(INSTALLED): requirements.txt requirements.lock pyproject.toml
	$(WRITABLE)@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit(f"The book needs Python 3.11 or newer, and $(PYTHON) is {v}. Try: make PYTHON=python3.11")'
	$(LOCKED) for info in .venv/lib/python*/site-packages/*.dist-info; do test -e "$$info/INSTALLER" || rm -rf "$$info"; done
	$(LOCKED) $(PYTHON) -m venv .venv
	$(LOCKED) $(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation -r requirements.txt
	touch $@

book: $(INSTALLED) ## execute the chapters that changed and write the site to _build/html
	$(WRITABLE)$(BIN)/jupyter-book build . -W -n --keep-going

test: book ## build the book, then run all tests
	$(BIN)/python -m pytest -n auto

# Another 200,000 each time; a failure prints how to repeat it.
soak: $(INSTALLED) ## test the losses, models, measures and data on 200,000 generated cases
	$(BIN)/python -m pytest -n auto -m hypothesis --hypothesis-profile soak --cases 200000 \
		tests/losses tests/embeddings tests/test_linear.py tests/test_datasets.py \
		tests/test_corpora.py tests/test_comparison.py

TOOLS := _build/mutation/tools

$(TOOLS): tests/mutation/requirements.txt $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --upgrade --target $@ -r $<
	touch $@

mutation: $(TOOLS) ## plant mistakes in the losses and derivations, one at a time: do the tests notice?
	PYTHONPATH=$(TOOLS) $(BIN)/python tests/mutation/run.py

twice: $(INSTALLED) ## build the book twice from nothing, and compare every file
	$(BIN)/python -m tests.book.twice

digits: book ## execute the chapters as on an old processor, and show what they print otherwise
	$(BIN)/python -m tests.book.digits

# The second build puts the link to the PDF on the front page.
pdf: book ## print the whole book to a PDF and link to it on the front page (needs Chromium or Chrome)
	$(BIN)/python book/_pdf/book_pdf.py
	$(BIN)/jupyter-book build . -W -n --keep-going

class: $(INSTALLED) ## write the site without solutions to _build/class/_build/html
	$(BIN)/python book/_class/class_version.py

lab: $(INSTALLED) ## open the chapters as notebooks in JupyterLab
	$(BIN)/jupytext-config --settings-file .venv/etc/jupyter/labconfig/default_setting_overrides.json set-default-viewer markdown myst
	$(BIN)/jupyter lab book

assignments: $(INSTALLED) ## write the problem sets for students to _build/assignments/release
	$(BIN)/python -m assignments.release

grade: $(INSTALLED) ## mark a folder of submissions: make grade SUBMISSIONS=folder
	$(BIN)/python -m assignments.grade "$(SUBMISSIONS)"

comparison: $(INSTALLED) ## run the whole comparison of losses, about 4 minutes on two cores
	$(BIN)/python -m lossbook.comparison

bench: $(INSTALLED) ## time a cold build, every loss against autograd, and word vectors against gensim
	$(BIN)/python benchmarks/build.py
	$(BIN)/python benchmarks/losses.py
	$(BIN)/python benchmarks/embeddings.py

# For every platform and every Python that the book allows. PyTorch is left out, and with it the CUDA libraries.
lock: ## resolve requirements.txt, and write versions and hashes to requirements.lock
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --disable-pip-version-check uv==0.13.9
	_build/lock/bin/uv pip compile requirements.txt --output-file requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-package torch --no-emit-package lossbook --no-annotate --custom-compile-command "make lock"

# The lower bounds of pyproject.toml, and of requirements.txt PyTorch and what the tests use. No test of the site.
oldest: ## run the package's tests with the oldest versions that it allows
	$(PYTHON) -m venv _build/oldest
	sed -n '/torch/d; s/^    "\([a-z-]*\)>=\([0-9.]*\)",$$/\1==\2/p' pyproject.toml > _build/oldest/requirements.txt
	grep -E '^(torch|pytest|pytest-xdist|hypothesis|mini-racer|ipywidgets)==' requirements.txt >> _build/oldest/requirements.txt
	_build/oldest/bin/python -m pip install --disable-pip-version-check -r _build/oldest/requirements.txt
	PYTHONPATH=src _build/oldest/bin/python -m pytest -n auto --ignore tests/book --ignore tests/assignments

clean: ## remove _build, .venv and every cache (all of it can be made again)
	rm -rf .venv _build .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find assignments book src tests benchmarks -name __pycache__ -exec rm -rf {} +
