"""Forecasts of a fleet in a lake, block by block."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import numpy as np

from sereno.domain.forecasts import QUANTILES, Forecast, Tier, quantile_name
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import isoformat
from sereno.domain.version import VERSION
from sereno.flows.blocks import on_grid
from sereno.flows.build import Setup
from sereno.flows.forecasting import ForecastRequest, forecast_windows
from sereno.flows.lake import Job, Told, run_blocks
from sereno.flows.lake_fleet import LakeRequest, lake_blocks, lake_of, lake_profile
from sereno.flows.lake_outcomes import BlockOutcome, LakeReport, content_digest, finish, once
from sereno.flows.train import sound_window
from sereno.scale.lake import Lake
from sereno.scale.places import Place
from sereno.scale.tables import read_table, write_table
from sereno.settings.forecasting import ForecastSettings

__all__ = ["forecast_lake", "read_forecasts"]

_LAYOUT = 2
"""Of the files: those of another one are written anew."""
_NUMBERS = ("step_s", *map(quantile_name, QUANTILES))


def forecast_lake(
    setup: Setup, wanted: LakeRequest, asked: ForecastRequest, told: Told | None = None
) -> LakeReport:
    """Forecast every asset of a lake; what is needed is learnt for this once.

    Args:
        asked: Horizon, origin, signal and forecaster; without an origin each block has that of its last
            reading.
        told: Hears after each block how many are done, and of how many.

    Raises:
        NoReadings, MissingColumns: There is nothing to forecast.
        ForecasterUnknown, ForecasterMisconfigured, ExtraMissing: There is no such forecaster here.
    """
    profile = lake_profile(setup, wanted)
    work = ForecastBlock(
        lake_of(setup, wanted), Place(wanted.output), profile, setup.settings.forecast, asked
    )
    jobs = [Job(block) for block in lake_blocks(setup, wanted, profile)]
    outcomes = run_blocks(setup, work, jobs, told)
    return finish("forecast", work.place, wanted.lake, profile.name, outcomes)


def read_forecasts(place: Place, digest: str) -> Iterator[tuple[Forecast, str]]:
    """The forecasts of a block, each with the time zone of its asset."""
    rows = read_table(place, f"forecasts/{digest}.parquet")
    whose = list(zip(rows["site"], rows["asset"], rows["signal"], strict=True))
    starts = [place for place, one in enumerate(whose) if not place or one != whose[place - 1]]
    for start, stop in pairwise([*starts, len(whose)]):
        said = {name: column[start] for name, column in rows.items()}
        quantiles = [rows[quantile_name(level)][start:stop] for level in QUANTILES]
        yield (
            Forecast(
                asset=AssetKey(str(said["site"]), str(said["asset"])),
                signal=str(said["signal"]),
                origin=datetime.fromisoformat(str(said["origin"])),
                cut_off=datetime.fromisoformat(str(said["cut_off"])),
                step=timedelta(seconds=float(str(said["step_s"]))),
                time=np.array(rows["time"][start:stop], dtype="datetime64[us]"),
                levels=QUANTILES,
                quantiles=np.array(quantiles, dtype=np.float64).T,
                tier=Tier(str(said["tier"])),
                model=str(said["model"]),
            ),
            str(said["zone"]),
        )


@dataclass(frozen=True, slots=True)
class ForecastBlock:
    """Forecasts a block: rows in, quantiles out."""

    lake: Lake
    place: Place
    profile: Profile
    settings: ForecastSettings
    asked: ForecastRequest

    def __call__(self, job: Job) -> BlockOutcome:
        """See `forecast_windows`."""
        rows = self.lake.read(job.block, self.profile)
        said = self.settings.model_dump()
        digest = content_digest("forecast", rows, VERSION, _LAYOUT, self.profile, said, self.asked)
        return once(self.place, "forecast", digest, partial(self._forecast, rows, digest))

    def _forecast(self, rows: Sequence[Window], digest: str) -> BlockOutcome:
        grids = [on_grid(one) for one in rows]
        windows = [sound_window(one, self.profile) for one in grids if len(one) and one.signals]
        made, left_out = forecast_windows(windows, self.profile, self.settings, self.asked)
        files = (f"forecasts/{digest}.parquet", f"left_out/{digest}.parquet")
        zones = {one.asset: one.zone for one in rows}
        write_table(self.place, files[0], _forecast_rows(made, zones), numbers=_NUMBERS)
        write_table(self.place, files[1], _left_out_rows(left_out))
        counts = {
            "assets": len(rows),
            "forecasts": len(made),
            "left_out": len(left_out),
            "rows": sum(map(len, rows)),
        }
        return BlockOutcome(digest, files, counts, {"digest": _digest(made)})


def _forecast_rows(
    made: Sequence[Forecast], zones: Mapping[AssetKey, str]
) -> dict[str, Sequence[object] | np.ndarray]:
    """A row for each step of each forecast; quantiles in the unit of the signal."""

    def spread(values: Sequence[object]) -> list[object]:
        return [value for value, one in zip(values, made, strict=True) for _ in one.time]

    return {
        "site": spread([one.asset.site for one in made]),
        "asset": spread([one.asset.asset for one in made]),
        "zone": spread([zones[one.asset] for one in made]),
        "signal": spread([one.signal for one in made]),
        "origin": spread([isoformat(one.origin) for one in made]),
        "cut_off": spread([isoformat(one.cut_off) for one in made]),
        "step_s": spread([one.step.total_seconds() for one in made]),
        "tier": spread([one.tier.value for one in made]),
        "model": spread([one.model for one in made]),
        "time": np.concatenate([one.time for one in made]) if made else np.zeros(0, "datetime64[us]"),
        **{
            quantile_name(level): [value for one in made for value in one.at(level).tolist()]
            for level in QUANTILES
        },
    }


def _left_out_rows(left_out: dict[AssetKey, str]) -> dict[str, list[str]]:
    return {
        "site": [key.site for key in left_out],
        "asset": [key.asset for key in left_out],
        "why": list(left_out.values()),
    }


def _digest(made: Sequence[Forecast]) -> str:
    digest = hashlib.sha256()
    for one in made:
        digest.update(f"{one.asset}|{one.signal}|{one.origin}|{one.tier}".encode())
        digest.update(np.ascontiguousarray(one.quantiles).tobytes())
    return digest.hexdigest()
