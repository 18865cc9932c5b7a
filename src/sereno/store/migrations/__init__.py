"""Numbered migrations, run by `sereno.store.migrate` when a store is opened."""
