"""The journey: the only place where stages are put together."""
