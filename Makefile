PYTHON ?= python3

.PHONY: help demo test check slow newest reference sbom screenshots

help:
	@echo "make demo    bundled worlds, ends with an explained incident"
	@echo "make test    everything CI runs"
	@echo "make check   format, lint, types, layers, tests with branch coverage"
	@echo "make slow    the tests that take minutes"
	@echo "make newest  the tests with the newest versions of all dependencies"
	@echo "make reference  docs/reference, written from the code"
	@echo "make sbom    bill of materials, to stdout or FILE=…"
	@echo "make screenshots  pictures of every screen, into OUT (default: screenshots)"

demo:
	@$(PYTHON) dev.py demo $(ARGS)

test:
	@$(PYTHON) dev.py test $(ARGS)

check:
	@$(PYTHON) dev.py check $(ARGS)

slow:
	@$(PYTHON) dev.py test -m slow $(ARGS)

newest:
	@$(PYTHON) dev.py newest $(ARGS)

reference:
	@$(PYTHON) dev.py reference

sbom:
	@$(PYTHON) dev.py sbom $(FILE)

screenshots:
	@$(PYTHON) dev.py test --version >/dev/null 2>&1
	@.venv/bin/python -m tests.console.screenshots $(or $(OUT),screenshots)
