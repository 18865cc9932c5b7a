"""Sites and assets."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from sereno.domain.errors import NotFound
from sereno.domain.signals import SOURCE_PROFILE, AssetKey
from sereno.store.column_types import MICROSECOND, clean_text
from sereno.store.hand import Hand
from sereno.store.records import StoredAsset
from sereno.store.schema import asset, incident, site, watch_state
from sereno.store.session import Session
from sereno.store.together import among, listed

__all__ = ["AssetSession"]

MAX_NAMES_IN_QUERY = 500


class AssetSession(Session):
    """The part of a transaction that knows the assets."""

    def ensure_assets(self, keys: Sequence[AssetKey], *, profile: str, zone: str) -> dict[AssetKey, int]:
        """The ids of the assets; those that are unknown are created, with their site.

        Args:
            keys: Sites and assets as written in the file.
            profile: What kind of asset they are; a name may stand for one asset of each profile.
            zone: IANA time zone of the sites that are new; known sites keep theirs.
        """
        names = sorted({clean_text(key.site) for key in keys})
        known = self._asset_ids(profile, names)
        missing = sorted({key for key in keys if _clean(key) not in known})
        if missing:
            self._create_assets(missing, profile, zone)
            known = self._asset_ids(profile, names)
        found = {key: known[_clean(key)] for key in keys}
        self._own_assets.update(found.values())
        return found

    def assets(
        self,
        profile: str | None = None,
        *,
        sites: Collection[str] | None = None,
        with_sources: bool = False,
        ids: Collection[int] | None = None,
    ) -> list[StoredAsset]:
        """The assets of one profile or of all, sorted by profile, site and asset.

        Args:
            sites: Only those of these sites; a fleet is not listed to find one of its members.
            with_sources: What readings come from, too: it may have incidents, but no readings.
            ids: Only these.
        """
        if self._hand is not None and profile is not None and sites is not None and ids is None:
            return self._at_hand(self._hand, profile, {clean_text(name) for name in sites})
        given: dict[str, object] = {"mine": self._organization_id}
        if profile is not None:
            given["profile"] = profile
        if sites is not None and len(sites) <= MAX_NAMES_IN_QUERY:
            given["sites"] = listed([clean_text(name) for name in sites], is_postgres=self._is_postgres)
        if ids is not None:
            given["ids"] = listed(ids, is_postgres=self._is_postgres)
        query = _assets_query(frozenset(given), with_sources=with_sources, is_postgres=self._is_postgres)
        found = [_stored_asset(row) for row in self._connection.execute(query, given)]
        return self._noted(found)

    def _at_hand(self, hand: Hand, profile: str, sites: Collection[str]) -> list[StoredAsset]:
        """The assets of a profile at sites; asked for are those that are not at hand."""
        unknown = {name for name in sites if (profile, name) not in hand.assets}
        if unknown:
            self._hand = None
            found = self.assets(profile, sites=unknown)
            self._hand = hand
            hand.assets |= {(profile, name): [] for name in unknown}
            for one in found:
                if one.key.site in unknown:
                    hand.assets[profile, one.key.site].append(one)
        return self._noted([one for name in sites for one in hand.assets[profile, name]])

    def _noted(self, found: list[StoredAsset]) -> list[StoredAsset]:
        self._own_assets.update(one.id for one in found)
        self._asset_keys |= {one.id: one.key for one in found}
        return sorted(found, key=lambda one: (one.profile, one.key))

    def asset_of(self, incident_id: str) -> StoredAsset:
        """The asset that an incident is about.

        Raises:
            NotFound: There is no such incident.
        """
        about = select(incident.c.asset_id).where(incident.c.id == incident_id).scalar_subquery()
        found = self._connection.execute(self._assets().where(asset.c.id == about)).one_or_none()
        if found is None:
            raise NotFound(what="incident", id=incident_id, hint="")
        return _stored_asset(found)

    def assets_of(self, incident_ids: Collection[str]) -> dict[str, StoredAsset]:
        """The assets that incidents are about, by id of the incident; others are left out."""
        ids, found = sorted(incident_ids), dict[str, StoredAsset]()
        about = self._assets().add_columns(incident.c.id).join(incident, incident.c.asset_id == asset.c.id)
        for start in range(0, len(ids), MAX_NAMES_IN_QUERY):
            some = about.where(incident.c.id.in_(ids[start : start + MAX_NAMES_IN_QUERY]))
            for *row, incident_id in self._connection.execute(some):
                found[incident_id] = _stored_asset(row)
        return found

    def judged_until(self) -> dict[str, datetime]:
        """By site, the latest instant of the data that has been judged of any of its assets."""
        query = (
            select(site.c.name, func.max(watch_state.c.last_ts))
            .join_from(watch_state, asset, watch_state.c.asset_id == asset.c.id)
            .join(site, asset.c.site_id == site.c.id)
            .where(asset.c.organization_id == self._organization_id, watch_state.c.last_ts.is_not(None))
        )
        return dict(self._connection.execute(query.group_by(site.c.name)).all())

    def count_assets(self, profile: str) -> int:
        """How many assets a profile has."""
        mine = (asset.c.organization_id == self._organization_id, asset.c.profile == profile)
        return int(
            self._connection.execute(select(func.count()).select_from(asset).where(*mine)).scalar_one()
        )

    def set_step(self, asset_id: int, step: timedelta | None) -> None:
        """Note the rhythm of an asset; None when it has none."""
        self._check_asset(asset_id)
        step_us = None if step is None else step // MICROSECOND
        self._let_assets_go()
        self._connection.execute(update(asset).where(asset.c.id == asset_id).values(step_us=step_us))

    def _assets(self) -> Select[Any]:
        return _ASSETS.where(asset.c.organization_id == self._organization_id)

    def _asset_ids(self, profile: str, sites: Sequence[str]) -> dict[AssetKey, int]:
        found = self.assets(profile, sites=sites)
        self._origins |= {one.id: one.is_simulated for one in found}
        return {one.key: one.id for one in found}

    def _create_assets(self, keys: Sequence[AssetKey], profile: str, zone: str) -> None:
        self._let_assets_go()
        mine = {"organization_id": self._organization_id}
        names = sorted({clean_text(key.site) for key in keys})
        self._insert_missing(site, [mine | {"name": name, "zone": zone} for name in names])
        query = select(site.c.name, site.c.id).where(site.c.organization_id == self._organization_id)
        sites = dict(self._connection.execute(query).all())
        rows = [(sites[clean_text(key.site)], clean_text(key.asset)) for key in keys]
        self._insert_missing(
            asset, [mine | {"site_id": where, "name": what, "profile": profile} for where, what in rows]
        )


_ASSETS = select(
    asset.c.id, site.c.name, asset.c.name, asset.c.profile, site.c.zone, asset.c.step_us, asset.c.is_simulated
).join_from(asset, site, asset.c.site_id == site.c.id)


@cache
def _assets_query(asked: frozenset[str], *, with_sources: bool, is_postgres: bool) -> Select[Any]:
    """The question of `assets`; kept, because to build it takes longer than to ask it."""
    query = _ASSETS.where(asset.c.organization_id == bindparam("mine"))
    if "profile" in asked:
        query = query.where(asset.c.profile == bindparam("profile"))
    elif not with_sources:
        query = query.where(asset.c.profile != SOURCE_PROFILE)
    if "sites" in asked:
        query = query.where(among("site.name", "sites", is_postgres=is_postgres))
    if "ids" in asked:
        query = query.where(among("asset.id", "ids", is_postgres=is_postgres))
    return query


def _clean(key: AssetKey) -> AssetKey:
    return AssetKey(clean_text(key.site), clean_text(key.asset))


def _stored_asset(row: Sequence[Any]) -> StoredAsset:
    asset_id, where, what, profile, zone, step_us, is_simulated = row
    step = None if step_us is None else step_us * MICROSECOND
    return StoredAsset(asset_id, AssetKey(where, what), profile, zone, step, is_simulated)
