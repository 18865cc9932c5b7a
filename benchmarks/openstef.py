"""OpenSTEF on the origins of another benchmark, in whatever interpreter has it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common import tell
from sereno.domain.readings import FloatArray

__all__ = ["MODELS", "Asked", "Said", "answers", "interpreter_with_openstef"]

MODELS = ("lgbm", "xgboost", "gblinear")
"""What its presets offer for a load; each without weather, as sereno is asked, and with the true one."""
WEATHER_COLUMNS = 3
REFIT_DAYS = 7
"""How old a model may grow before its own storage has it learnt again."""
LATITUDE, LONGITUDE, COUNTRY = 35.57, -5.37, "MA"
_NAMES = ("openstef_core", "openstef_models")


@dataclass(frozen=True, slots=True)
class Asked:
    """Origins, and what may be known.

    Attributes:
        values: Load (zones, rows) to beyond the last origin; cut there before it is handed over.
        weather: Shape (columns, rows): temperature, humidity and wind speed first.
        origins: Rows.
    """

    values: FloatArray
    weather: FloatArray
    start: datetime
    step: timedelta
    origins: np.ndarray
    n_steps: int


@dataclass(frozen=True, slots=True)
class Said:
    """What one of its models answered.

    Attributes:
        quantiles: Of 5, 50 and 95 %, shape (zones, origins, steps, 3).
    """

    model: str
    knows_weather: bool
    quantiles: FloatArray
    fit_cpu_s: float
    predict_cpu_s: float
    version: str


def interpreter_with_openstef(given: Path | None) -> str | None:
    """The interpreter that was named, else this one where it has OpenSTEF; None, and why, where neither.

    Raises:
        SystemExit: The one that was named cannot import it.
    """
    if given is None:
        if all(find_spec(name) for name in _NAMES):
            return sys.executable
        tell(
            "OpenSTEF is not measured: it is not installed here (it needs Python 3.12); see --openstef-python"
        )
        return None
    tried = subprocess.run(
        [str(given), "-c", f"import {', '.join(_NAMES)}"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        last = (tried.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise SystemExit(f"--openstef-python {given} cannot import OpenSTEF: {last}")
    return str(given)


def answers(interpreter: str, asked: Asked, *, is_quick: bool) -> Iterator[Said]:
    """What each of its models says, without weather and with the true weather of the day to come."""
    for model in MODELS[:1] if is_quick else MODELS:
        for knows_weather in (False, True):
            tell(f"OpenSTEF: {model}{', with the true weather' * knows_weather}")
            yield _answer(interpreter, asked, model, knows_weather=knows_weather)


def _answer(interpreter: str, asked: Asked, model: str, *, knows_weather: bool) -> Said:
    last = int(asked.origins[-1])
    weather = asked.weather[: WEATHER_COLUMNS if knows_weather else 0, : last + asked.n_steps]
    with TemporaryDirectory() as folder:
        task, answer = Path(folder) / "task.npz", Path(folder) / "answer.npz"
        np.savez(
            task,
            values=asked.values[:, :last],
            weather=weather,
            start=asked.start.isoformat(),
            step_s=round(asked.step.total_seconds()),
            origins=asked.origins,
            n_steps=asked.n_steps,
            model=model,
            refit_days=REFIT_DAYS,
            latitude=LATITUDE,
            longitude=LONGITUDE,
            country=COUNTRY,
        )
        _run(interpreter, task, answer)
        found = dict(np.load(answer))
    return Said(
        model,
        knows_weather,
        found["said"],
        float(found["fit_cpu_s"]),
        float(found["predict_cpu_s"]),
        str(found["version"]),
    )


def _run(interpreter: str, task: Path, answer: Path) -> None:
    script = Path(__file__).with_name("openstef_peer.py")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # -P: this folder has modules named as others are; one thread, as everywhere in these figures.
    subprocess.run(
        [interpreter, "-P", "-W", "ignore", str(script), str(task), str(answer)],
        env=own | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
