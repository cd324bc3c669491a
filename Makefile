# All paths are relative, so that the checkout may lie anywhere, spaces and accents included.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help book test pdf class lab assignments grade comparison bench lock oldest clean
# a target whose recipe failed half-way must not look finished next time
.DELETE_ON_ERROR:

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

$(INSTALLED): requirements.txt requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info >= (3, 11) or sys.exit(f"The book needs Python 3.11 or newer, and $(PYTHON) is {v}. Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation -r requirements.txt
	touch $@

# Sphinx reports a page's warnings only when it reads the page, so after a failure it must read all again.
book: $(INSTALLED) ## execute the chapters that changed and write the site to _build/html
	$(BIN)/jupyter-book build . -W -n --keep-going || { rm -rf _build/.doctrees; exit 1; }

test: book ## build the book, then run all tests
	$(BIN)/python -m pytest -n auto

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
