"""What judging and forecasting a lake gave, in the store of a workspace, to live there as any other does."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.domain.errors import NoReadings
from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Detection
from sereno.domain.signals import AssetKey
from sereno.flows.build import Setup, life_policy
from sereno.flows.lake_forecasting import read_forecasts
from sereno.flows.life import Recorder
from sereno.incidents.grouping import plan_steps
from sereno.scale.places import Place
from sereno.scale.tables import read_table
from sereno.store import Store, StoredAsset, Transaction
from sereno.store.codec import INSTANTS, detection_of

__all__ = ["StoredFleet", "StoredForecasts", "store_forecasts", "store_lake"]


@dataclass(slots=True)
class StoredFleet:
    """What came into a store.

    Attributes:
        n_left_out: Assets whose readings the store has itself: it judges them.
    """

    n_assets: int = 0
    n_opened: int = 0
    n_left_out: int = 0

    def to_json(self) -> dict[str, int]:
        """For `score --lake --store --json`."""
        return {"assets": self.n_assets, "opened": self.n_opened, "left_out": self.n_left_out}


@dataclass(slots=True)
class StoredForecasts:
    """What came into a store.

    Attributes:
        n_left_out: Assets whose readings the store has itself: it forecasts them.
    """

    n_forecasts: int = 0
    n_left_out: int = 0

    def to_json(self) -> dict[str, int]:
        """For `forecast --lake --store --json`."""
        return {"forecasts": self.n_forecasts, "left_out": self.n_left_out}


def store_forecasts(setup: Setup, store: Store, output: str) -> StoredForecasts:
    """Keep in a store what `forecast_lake` left, a transaction for each block; again, it changes nothing.

    Raises:
        NoReadings: Nothing was forecast there.
    """
    place = Place(output)
    said = place.read_json("forecast.json")
    if not isinstance(said, dict):
        raise NoReadings(file=output, detail="no lake was forecast there")
    done = StoredForecasts()
    for digest in said["digests"]:
        made = list(read_forecasts(place, digest))
        with store.begin() as tx:
            ids = _ensured(tx, {one.asset: zone for one, zone in made}, said["profile"])
            own = {key for key, one in ids.items() if tx.span(one) is not None}
            kept = [(ids[one.asset], one) for one, _ in made if one.asset not in own]
            tx.add_forecasts(kept, model_id=digest, at=setup.clock())
        done.n_forecasts += len(kept)
        done.n_left_out += len(own)
    return done


def store_lake(setup: Setup, store: Store, output: str) -> StoredFleet:
    """Bring the incidents of a store in line with what `score_lake` left, a transaction for each block.

    Doing it again changes nothing. Nobody is told of what is history, as of any history.

    Raises:
        NoReadings: Nothing was judged there.
    """
    place = Place(output)
    said = place.read_json("score.json")
    if not isinstance(said, dict):
        raise NoReadings(file=output, detail="no lake was judged there")
    done = StoredFleet()
    for digest in said["digests"]:
        fleet = _Block.read(place, said["profile"], digest)
        with store.begin() as tx:
            _store(tx, setup, fleet, done)
    return done


@dataclass(frozen=True, slots=True)
class _Block:
    """The assets of a block, with zone and step, and their detections."""

    profile: str
    zones: Mapping[AssetKey, str]
    steps: Mapping[AssetKey, timedelta | None]
    found: Mapping[AssetKey, Sequence[Detection]]

    @classmethod
    def read(cls, place: Place, profile: str, digest: str) -> "_Block":
        listed = read_table(place, f"assets/{digest}.parquet")
        keys = [AssetKey(str(a), str(b)) for a, b in zip(listed["site"], listed["asset"], strict=True)]
        found: dict[AssetKey, list[Detection]] = {key: [] for key in keys}
        for text in read_table(place, f"detections/{digest}.parquet")["document"]:
            document = json.loads(str(text))
            key = AssetKey(document["site"], document["asset"])
            found[key].append(_detection(document, key))
        return cls(
            profile,
            zones=dict(zip(keys, map(str, listed["zone"]), strict=True)),
            steps={key: _step(said) for key, said in zip(keys, listed["step_s"], strict=True)},
            found=found,
        )


def _detection(document: dict[str, object], key: AssetKey) -> Detection:
    instants = {
        name: None if document[name] is None else datetime.fromisoformat(str(document[name]))
        for name in INSTANTS
    }
    return detection_of(document | instants, key)


def _step(seconds: object) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=float(str(seconds)))


def _store(tx: Transaction, setup: Setup, block: _Block, done: StoredFleet) -> None:
    ids = _ensured(tx, block.zones, block.profile)
    tx.lock_assets(list(ids.values()))
    recorder = Recorder(tx, life_policy(setup), now=setup.clock())
    for asset in tx.assets(ids=list(ids.values())):
        if tx.span(asset.id) is not None:
            done.n_left_out += 1
            continue
        step = block.steps[asset.key]
        if step is not None and asset.step != step:
            tx.set_step(asset.id, step)
        done.n_assets += 1
        done.n_opened += _store_asset(tx, asset, block.found[asset.key], step, recorder)
    recorder.settle()


def _store_asset(
    tx: Transaction,
    asset: StoredAsset,
    found: Sequence[Detection],
    step: timedelta | None,
    recorder: Recorder,
) -> int:
    """Incidents that opened."""
    kept = {(one.check, one.started_at) for one in found}
    stored = tx.detections_since({asset.id: None})[asset.id]
    gone = [one for one in stored if (one.detection.check, one.detection.started_at) not in kept]
    tx.delete_detections([one.id for one in gone])
    tx.save_detections([(asset.id, one) for one in found])
    known = tx.incidents(asset_id=asset.id, include_withdrawn=True)
    taken = [one.detection for one in gone]
    steps = plan_steps(found, taken, known, step=step, now=recorder.now, namespace=tx.namespace)
    tx.lock_incidents([one.incident_id for one in steps])
    for one in steps:
        if one.event.kind is EventKind.OPENED:
            recorder.open(one.incident_id, one.group_key, asset, one.event)
        else:
            recorder.append(one.incident_id, one.event, asset)
    return sum(one.event.kind is EventKind.OPENED for one in steps)


def _ensured(tx: Transaction, zones: Mapping[AssetKey, str], profile: str) -> dict[AssetKey, int]:
    ids: dict[AssetKey, int] = {}
    for zone in sorted(set(zones.values())):
        keys = [key for key, own in zones.items() if own == zone]
        ids |= tx.ensure_assets(keys, profile=profile, zone=zone)
    return ids
