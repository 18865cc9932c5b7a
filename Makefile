PYTHON ?= python3

.PHONY: help demo test check slow

help:
	@echo "make demo    bundled worlds, ends with an explained incident"
	@echo "make test    everything CI runs"
	@echo "make check   format, lint, types, layers, tests with branch coverage"
	@echo "make slow    the tests that take minutes"

demo:
	@$(PYTHON) dev.py demo $(ARGS)

test:
	@$(PYTHON) dev.py test $(ARGS)

check:
	@$(PYTHON) dev.py check $(ARGS)

slow:
	@$(PYTHON) dev.py test -m slow $(ARGS)
