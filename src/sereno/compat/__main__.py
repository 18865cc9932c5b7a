"""`python -m sereno.compat`: the menu of the guide."""

from sereno.compat.menu import run_menu

raise SystemExit(run_menu())
