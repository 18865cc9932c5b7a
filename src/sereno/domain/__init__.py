"""The vocabulary of sereno: what passes between its stages. Standard library and NumPy only."""
