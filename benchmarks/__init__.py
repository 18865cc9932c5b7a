"""How fast sereno is, through its public API: `python -m benchmarks.NAME --json [--quick] [--data DIR]`."""
