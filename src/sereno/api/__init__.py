"""The HTTP door: what the command line can do, with the same calls and the same names."""
