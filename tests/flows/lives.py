"""Incidents of small fleets in a store, recorded as judging records them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sereno.domain.incidents import EventKind, Incident
from sereno.domain.judgement import Detection
from sereno.domain.signals import AssetKey
from sereno.flows.life import LifePolicy, Recorder
from sereno.flows.telling import heard_of
from sereno.incidents.grouping import plan_steps
from sereno.store import Store, Transaction, open_store
from tests.support.builders import HOUR, PROFILES, a_detection

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
STEP = HOUR / 4
ROOF = AssetKey("Norte", "Tejado 1")

NEWS = frozenset(EventKind) - {
    EventKind.SILENCED,
    EventKind.INHIBITED,
    EventKind.SHELVED,
    EventKind.ACKNOWLEDGED,
    EventKind.COMMENTED,
    EventKind.ASSIGNED,
}
"""Events that a receiver may be told of."""
Told = tuple[str, EventKind, str]
"""Asset, event, and who could hear of it then."""


@dataclass
class Lives:
    """A store whose clock is set by hand, and who was told of what."""

    store: Store
    policy: LifePolicy = field(default_factory=lambda: LifePolicy(PROFILES))
    now: datetime = START
    heard: list[Told] = field(default_factory=list)

    def listen(self, tx: Transaction) -> None:
        """Note who could hear of the events of a transaction."""
        for one in heard_of(tx.recorded):
            kind, after = one.event.kind, one.after
            if kind in NEWS and not after.is_muted(kind, self.now):
                self.heard.append((after.asset.asset, kind, after.visibility(self.now)))

    def wait(self, length: timedelta) -> None:
        self.now += length

    def judge(self, *found: Detection, gone: Sequence[Detection] = ()) -> None:
        """Bring the incidents in line with detections, in one transaction."""
        with self.store.begin() as tx:
            recorder = Recorder(tx, self.policy, now=self.now)
            for key in dict.fromkeys(d.asset for d in (*found, *gone)):
                (number,) = tx.ensure_assets([key], profile="solar", zone="Europe/Madrid").values()
                tx.set_step(number, STEP)
                asset = next(one for one in tx.assets(sites=[key.site]) if one.id == number)
                known = tx.incidents(asset_id=number, include_withdrawn=True)
                steps = plan_steps(
                    [d for d in found if d.asset == key],
                    [d for d in gone if d.asset == key],
                    known,
                    step=STEP,
                    now=self.now,
                )
                for step in steps:
                    if step.event.kind is EventKind.OPENED:
                        recorder.open(step.incident_id, step.group_key, asset, step.event)
                    else:
                        recorder.append(step.incident_id, step.event, asset)
            recorder.settle()

    def only(self, **wanted: object) -> Incident:
        """The one incident that there is, or that there is of an asset."""
        with self.store.read() as tx:
            found = tx.incidents()
        (one,) = [i for i in found if wanted.get("asset") in {None, i.asset}]
        return one

    def kinds(self, incident_id: str) -> list[str]:
        with self.store.read() as tx:
            return [event.kind.value for event in tx.events(incident_id)]

    def told(self) -> list[Told]:
        """What has been told since this was last asked."""
        heard, self.heard = self.heard, []
        return heard


@contextmanager
def lives_in(url: str) -> Iterator[Lives]:
    """Lives in a store that listens to itself."""
    with open_store(url, before_commit=lambda tx: found.listen(tx)) as store:  # noqa: PLW0108 - it is not there yet
        found = Lives(store)
        yield found


Spell = Callable[..., Detection]


def spell(
    since: datetime = START, until: datetime | None = None, *, asset: AssetKey = ROOF, **changes: object
) -> Detection:
    """Low generation of a roof."""
    return a_detection(
        asset=asset,
        started_at=since,
        ended_at=until,
        last_at=since if until is None else until - STEP,
        peak_at=since,
        **changes,
    )
