"""Industrial gas clients with labelled faults of each variable, as workbooks and a table of truth.

Courses come from the simulator; what is wrong in them is put there by this module, so that its size is known:
severity is the size of a fault in spreads of the client's own calm hours.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import xlsxwriter

from sereno.domain.calendar import local_time
from sereno.domain.readings import BoolArray, FloatArray, TimeArray
from sereno.simulate import simulate_world

__all__ = ["SIZES", "VARIABLES", "ZONE", "Fault", "GasClients", "gas_clients"]

ZONE = "America/Lima"
VARIABLES = ("Presion", "Temperatura", "Volumen")
SIZES = {"Alta": 14.0, "Media": 4.8}
"""Spreads of the client's calm hours by which a fault moves its variable.

A calibrated threshold lies near 3.75 of them; on the usual scale that is 2 sigmas, and 3 begin at 5.6.
"""
START = dt.datetime(2024, 1, 8, tzinfo=ZoneInfo(ZONE))


@dataclass(frozen=True)
class Fault:
    """Rows [first, stop) of a client in which one variable is off; `moved` are those not idle before."""

    client: int
    variable: int
    severity: str
    first: int
    stop: int
    moved: BoolArray


@dataclass
class GasClients:
    """Courses of clients, shape (rows, 3) each, and what was put into them."""

    names: list[str]
    time: TimeArray
    courses: list[FloatArray]
    faults: list[Fault] = field(default_factory=list)

    def local(self) -> list[dt.datetime]:
        """Naive local starts of the rows."""
        found: list[dt.datetime] = local_time(self.time, ZONE).astype("datetime64[us]").tolist()
        return found

    def write_workbook(self, path: Path, clients: Sequence[int] | None = None) -> Path:
        """One sheet per client, true instants, as the distributor's workbooks are."""
        local = self.local()
        with xlsxwriter.Workbook(path) as book:
            stamp = book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
            for client in range(len(self.names)) if clients is None else clients:
                sheet = book.add_worksheet(self.names[client])
                sheet.write_row(0, 0, ["Fecha", *VARIABLES])
                for row, (at, values) in enumerate(zip(local, self.courses[client].tolist(), strict=True), 1):
                    sheet.write_datetime(row, 0, at, stamp)
                    sheet.write_row(row, 1, values)
        return path

    def write_truth(self, path: Path, *, times: int = 1) -> Path:
        """The five columns of the distributor; each statement as often as asked."""
        rows = [one for one in self._truth_rows() for _ in range(times)]
        names = ("cliente_id", "Fecha", "anomalia_real", "criticidad_real", "variable_afectada")
        pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row").write_csv(path)
        return path

    def _truth_rows(self) -> Iterator[tuple[str, ...]]:
        local = self.local()
        for fault in self.faults:
            for row in np.flatnonzero(fault.moved) + fault.first:
                yield (
                    self.names[fault.client],
                    f"{local[row]:%Y-%m-%d %H:%M:%S}",
                    "True",
                    fault.severity,
                    VARIABLES[fault.variable],
                )


def gas_clients(
    n_clients: int = 8, *, days: int = 120, seed: int = 0, faults_from: float = 0.8, n_faults: int = 30
) -> GasClients:
    """Clients whose last part has faults of all three variables, of both severities.

    Args:
        faults_from: Share of the days before the first fault.
    """
    world = simulate_world(
        "gas",
        seed=seed,
        start=START,
        end=START + dt.timedelta(days=days),
        assets=n_clients,
        faults=(),
        zone=ZONE,
    )
    readings = world.readings
    courses = [readings.of_asset(i).values.copy() for i in range(n_clients)]
    clients = GasClients([f"CLIENTE{i + 1}" for i in range(n_clients)], readings.of_asset(0).time, courses)
    rng = np.random.default_rng([seed, 99])
    first_row = int(len(clients.time) * faults_from) + 24
    for number in range(n_faults):
        _add_fault(clients, number, first_row, rng)
    return clients


def _add_fault(clients: GasClients, number: int, first_row: int, rng: np.random.Generator) -> None:
    variable = number % len(VARIABLES)
    severity = "Media" if number % 5 == 4 else "Alta"
    for _ in range(200):
        client = int(rng.integers(len(clients.names)))
        length = int(rng.integers(24, 72))
        first = int(rng.integers(first_row, len(clients.time) - length))
        others = [one for one in clients.faults if one.client == client]
        if all(first > one.stop + 48 or first + length < one.first - 48 for one in others):
            break
    else:
        return
    course = clients.courses[client]
    direction = -1.0 if variable == 0 else 1.0
    rows = slice(first, first + length)
    values = _moved(course, variable, rows, direction * SIZES[severity])
    moved = values != course[rows, variable]
    course[rows, variable] = values
    clients.faults.append(Fault(client, variable, severity, first, first + length, moved))


def _moved(course: FloatArray, variable: int, rows: slice, spreads: float) -> FloatArray:
    """A variable moved by so many spreads of its calm hours: volumes as ratios, the others as differences."""
    values = course[:, variable]
    if variable == VARIABLES.index("Volumen"):
        moved: FloatArray = values[rows] * np.exp(spreads * 0.085)
        return moved
    days = values[: len(values) // 24 * 24].reshape(-1, 24)
    usual = np.median(np.lib.stride_tricks.sliding_window_view(days, 14, axis=0), axis=-1)
    spread = 1.4826 * np.median(np.abs(days[14:] - usual[:-1]))
    return values[rows] + spreads * spread
