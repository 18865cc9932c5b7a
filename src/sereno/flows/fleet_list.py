"""Incidents as a list that people filter, sort and page through; see `flows.incidents` for one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sereno.domain.incidents import Condition
from sereno.domain.masking import has_words
from sereno.flows.incidents import IncidentView, worst_first
from sereno.flows.overview import views_of
from sereno.flows.workspace import Workspace

__all__ = ["SORTS", "IncidentFilter", "listed_incidents"]

SORTS = ("worst", "newest", "cost", "site")


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents, and in which order; what is empty leaves all in.

    Attributes:
        text: Words that all stand in the sentence, the site or the owner.
        state: `new`, `acknowledged`, `closed` or `open` (not closed).
        visibility: `shown`, `shelved`, `silenced` or `inhibited`.
    """

    text: str = ""
    site: str = ""
    profile: str = ""
    severity: Sequence[str] = ()
    state: str = ""
    condition: str = ""
    kind: str = ""
    visibility: str = ""
    sort: str = "worst"

    def fits(self, view: IncidentView, now: datetime, language: str) -> bool:
        """Whether an incident is wanted."""
        incident = view.incident
        is_state = self.state in ("", incident.state.value) or (
            self.state == "open" and incident.state.value != "closed"
        )
        return (
            is_state
            and (not self.site or self.site == incident.asset.site)
            and (not self.profile or self.profile == view.place.profile.name)
            and (not self.severity or incident.severity.name.lower() in self.severity)
            and self.condition in ("", incident.condition.value)
            and self.kind in ("", incident.kind.value)
            and self.visibility in ("", incident.visibility(now))
            and self._says(view, language)
        )

    def _says(self, view: IncidentView, language: str) -> bool:
        if not self.text.strip():
            return True
        said = f"{view.incident.asset} {view.incident.id} {view.incident.owner} {view.sentence(language)}"
        return has_words(self.text, said)


def listed_incidents(
    workspace: Workspace, wanted: IncidentFilter, *, since: datetime, until: datetime, language: str
) -> list[IncidentView]:
    """The incidents that go on, or touch a stretch of time, and fit; in the order that is asked for."""
    now = workspace.now()
    with workspace.store.read() as tx:
        assets = tx.assets(sites=[wanted.site] if wanted.site else None)
        if wanted.site:
            known = [one for asset in assets for one in tx.incidents(asset_id=asset.id, since=since)]
        else:
            known = tx.incidents(since=since)
        shown = [one for one in known if one.condition is Condition.ACTIVE or one.started_at < until]
        views = views_of(tx, workspace, assets, shown)
    found = [view for view in views if wanted.fits(view, now, language)]
    match wanted.sort:
        case "newest":
            return sorted(found, key=lambda view: view.incident.started_at, reverse=True)
        case "cost":
            return sorted(worst_first(found), key=lambda view: -(view.cost_per_day or 0.0))
        case "site":
            return sorted(worst_first(found), key=lambda view: str(view.incident.asset).casefold())
        case _:
            return worst_first(found)
