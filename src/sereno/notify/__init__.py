"""Notifications carried to the outside world: senders, and what a message says."""
