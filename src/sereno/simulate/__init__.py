"""Labelled synthetic worlds with named faults, seeded and physically coherent, and one real slice."""

from sereno.simulate.demo import demo_worlds
from sereno.simulate.export import write_world
from sereno.simulate.real import real_slice
from sereno.simulate.simulator import fault_names, simulate_world
from sereno.simulate.world import Fault, World

__all__ = ["Fault", "World", "demo_worlds", "fault_names", "real_slice", "simulate_world", "write_world"]
