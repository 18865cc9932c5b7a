"""Labelled synthetic worlds with named faults, seeded and physically coherent, and one real slice."""

from sereno.simulate.demo import demo_worlds
from sereno.simulate.export import write_trial, write_world
from sereno.simulate.real import real_slice
from sereno.simulate.simulator import fault_names, recipe_of, simulate_world
from sereno.simulate.trial import Trial, process_trial, start_of_trial
from sereno.simulate.world import Fault, World

__all__ = [
    "Fault",
    "Trial",
    "World",
    "demo_worlds",
    "fault_names",
    "process_trial",
    "real_slice",
    "recipe_of",
    "simulate_world",
    "start_of_trial",
    "write_trial",
    "write_world",
]
