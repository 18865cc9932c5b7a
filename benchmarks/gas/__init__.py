"""Faults of gas clients and of their network, injected with a seed into real hours, and published labels."""
