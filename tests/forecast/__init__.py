"""Forecasters."""
