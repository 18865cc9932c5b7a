"""Typed configuration: `sereno.yaml`, the environment over it, and the profiles."""
