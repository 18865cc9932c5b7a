"""Plugins of our own that pytest loads."""
