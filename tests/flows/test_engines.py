"""Who is dead, as far as this machine can know."""

import os
import subprocess
import sys

import pytest

from sereno.flows import engines

pytestmark = pytest.mark.skipif(
    not engines.this_machine(), reason="this system does not tell its processes apart"
)


def test_living_process_is_not_dead() -> None:
    assert not engines._is_dead(engines._own_name())


def test_process_that_ended_is_dead() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    host, _, began, machine = engines._own_name().split(":")

    assert engines._is_dead(f"{host}:{int(done.stdout)}:{began}:{machine}")


def test_another_process_of_the_same_number_is_not_the_owner() -> None:
    host, number, began, machine = engines._own_name().split(":")

    assert engines._is_dead(f"{host}:{number}:{int(began) - 1}:{machine}")


@pytest.mark.parametrize("machine", ["another-boot/1", ""])
def test_nothing_is_known_of_other_machines(machine: str) -> None:
    assert not engines._is_dead(f"host:{os.getpid() + 1}:1:{machine}")


def test_name_of_no_engine_is_not_dead() -> None:
    assert not engines._is_dead("somebody")
