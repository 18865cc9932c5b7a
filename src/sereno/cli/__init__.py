"""The command line: a person's request becomes a call of a flow, its result becomes text or JSON."""

from sereno.cli.entry import main

__all__ = ["main"]
