"""What all benchmarks share: their options, their clock, the machine, and one JSON document on stdout."""

import argparse
import json
import os
import platform
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

import sereno

__all__ = [
    "BYTES_PER_MB",
    "Goal",
    "Options",
    "child_environment",
    "machine",
    "milliseconds",
    "own_peak_mb",
    "parse_options",
    "publish",
    "tell",
    "timed",
]

DATA_VARIABLE = "SERENO_DATA"
MS_PER_S = 1000.0
BYTES_PER_GIB = 1024**3
BYTES_PER_MB = 1_000_000
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` counts in [B]."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for.

    Attributes:
        is_json: One JSON document instead of a table.
        is_quick: A small run that only shows that everything works.
        data: Folder with data sets; None simulates.
        n_rows: Rows to generate, where the benchmark has such a size; None for its own.
    """

    is_json: bool
    is_quick: bool
    data: Path | None
    n_rows: int | None


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and the limit that it must keep; None where nothing was measured."""

    value: float | None
    limit: float
    is_floor: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether the limit is kept; None where nothing was measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.is_floor else self.value <= self.limit

    def to_json(self) -> dict[str, object]:
        """Value, limit, its direction and whether it is met."""
        bound = "at_least" if self.is_floor else "at_most"
        return {"value": self.value, bound: self.limit, "met": self.is_met}


def parse_options(name: str, about: str, arguments: Sequence[str] | None = None) -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="a small run, for tests")
    parser.add_argument(
        "--data",
        type=Path,
        help=f"folder with data sets, otherwise {DATA_VARIABLE}, otherwise simulated data",
    )
    parser.add_argument("--rows", type=int, help="rows to generate, where that is a question")
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    return Options(is_json=given.json, is_quick=given.quick, data=folder, n_rows=given.rows)


def timed(function: Callable[[], object]) -> float:
    """How long a call takes [s]."""
    start = perf_counter()
    function()
    return perf_counter() - start


def timed_with_cpu(function: Callable[[], object]) -> tuple[float, float]:
    """How long a call takes on the clock, which other work slows, and of the processor, all threads [s]."""
    start = process_time()
    elapsed = timed(function)
    return elapsed, process_time() - start


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 99 % quantile of durations [ms]."""
    return {
        name: _short(float(np.quantile(seconds, q)) * MS_PER_S) for name, q in (("p50", 0.5), ("p99", 0.99))
    }


def own_peak_mb() -> float:
    """Most memory that this process has held so far [MB]."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / BYTES_PER_MB
    # Not `ru_maxrss`: on Linux a child starts with the peak of the process that started it.
    peak = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / BYTES_PER_MB


def child_environment() -> dict[str, str]:
    """The environment in which a child process imports the same sereno as this one."""
    places = [str(Path(sereno.__file__).parents[1]), str(Path(__file__).parents[1])]
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*places, known] if known else places)}


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def tell(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def publish(options: Options, figures: Mapping[str, object], goals: Mapping[str, Goal]) -> None:
    """Show what was measured: the figures, what they were to reach, and on which machine."""
    document = {
        **figures,
        "goals": {name: goal.to_json() for name, goal in goals.items()},
        "machine": machine(),
        "quick": options.is_quick,
    }
    if options.is_json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for name, value in _flat(figures):
        print(f"{name:40} {value}")
    for name, goal in goals.items():
        mark = {True: "met", False: "MISSED", None: "not measured"}[goal.is_met]
        print(f"goal {name:35} {goal.value} {'>=' if goal.is_floor else '<='} {goal.limit:g}: {mark}")
    print(", ".join(f"{name} {value}" for name, value in machine().items()))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _flat(figures: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, value))
    return rows


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages / BYTES_PER_GIB, 1)
