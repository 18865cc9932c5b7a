"""All that can be done inside one database transaction."""

from sereno.store.accounts import AccountSession
from sereno.store.adjustments import AdjustmentSession
from sereno.store.assets import AssetSession
from sereno.store.audit import AuditSession
from sereno.store.changes import ChangeSession
from sereno.store.corrections import CorrectionSession
from sereno.store.drifts import DriftSession
from sereno.store.erasing import ErasingSession
from sereno.store.forecasts import ForecastSession
from sereno.store.inbox import InboxSession
from sereno.store.incident_pages import IncidentPageSession
from sereno.store.incidents import IncidentSession
from sereno.store.jobs import JobSession
from sereno.store.leases import LeaseSession
from sereno.store.ledger import LedgerSession
from sereno.store.listing import ListSession
from sereno.store.models import ModelSession
from sereno.store.outbox import OutboxSession
from sereno.store.overviews import OverviewSession
from sereno.store.readings import ReadingSession
from sereno.store.regimes import RegimeSession
from sereno.store.requests import RequestSession
from sereno.store.rollups import RollupSession
from sereno.store.shadows import ShadowSession
from sereno.store.silences import SilenceSession
from sereno.store.simulated import SimulatedSession
from sereno.store.statistics import StatisticsSession
from sereno.store.timers import TimerSession
from sereno.store.watching import WatchSession

__all__ = ["Transaction"]


class Transaction(
    AssetSession,
    ReadingSession,
    RollupSession,
    StatisticsSession,
    SimulatedSession,
    ErasingSession,
    ListSession,
    OverviewSession,
    CorrectionSession,
    LedgerSession,
    WatchSession,
    RegimeSession,
    ForecastSession,
    IncidentPageSession,
    IncidentSession,
    OutboxSession,
    TimerSession,
    SilenceSession,
    AdjustmentSession,
    ModelSession,
    ShadowSession,
    DriftSession,
    LeaseSession,
    InboxSession,
    AccountSession,
    AuditSession,
    ChangeSession,
    JobSession,
    RequestSession,
):
    """One database transaction of one organization; `Store.begin` and `Store.read` give it.

    Everything done with it becomes true at once, when the context ends, or not at all.
    """
