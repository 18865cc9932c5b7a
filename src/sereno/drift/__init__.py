"""Drift: whether data, inputs, the relation between them, or forecasts are no longer what was learnt."""
