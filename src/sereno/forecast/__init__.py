"""Forecasts: what each meter will do next, with bands, from what it and the fleet did before."""
