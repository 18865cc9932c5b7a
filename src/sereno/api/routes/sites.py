"""Sites, the assets that stand on them, and what they send."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from sereno.api.answers import Cursor, Page, fresh_or, page_answer, position_of
from sereno.api.context import ViewerCall
from sereno.api.documents import AssetDocument, QualityDocument, SignalDocument
from sereno.api.parameters import MAX_ID, Days, Name
from sereno.api.problems import problems
from sereno.flows.listing import signal_json

__all__ = ["router"]

router = APIRouter(tags=["sites"])

AssetNumber = Annotated[int, Path(ge=1, le=MAX_ID, description="Number of the asset.")]
MAX_ASSETS = 200


class SiteDocument(BaseModel):
    """A place."""

    name: str = Field(description="As in the files that it came from.", examples=["Planta 1"])
    zone: str = Field(description="IANA zone of its clock.", examples=["Europe/Madrid"])
    assets: list[str] = Field(description="What is watched there.", examples=[["Inversor 1"]])


@router.get("/sites", responses=problems())
def list_sites(call: ViewerCall, request: Request) -> list[SiteDocument]:
    """The sites of the organization, by name."""

    def sites() -> list[dict[str, object]]:
        zones: dict[str, str] = {}
        names: dict[str, set[str]] = {}
        for one in call.workspace.assets():
            zones[one.key.site] = one.zone
            names.setdefault(one.key.site, set()).add(one.key.asset)
        return [{"name": site, "zone": zones[site], "assets": sorted(names[site])} for site in sorted(names)]

    return fresh_or(request, call, sites)  # type: ignore[return-value]  # it is what is described


@router.get("/assets", responses=problems(), response_model=Page[AssetDocument])
def list_assets(
    call: ViewerCall,
    request: Request,
    site: Annotated[Name | None, Query(description="Only of this site.")] = None,
    profile: Annotated[Name | None, Query(description="Only of this profile.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ASSETS, description="At most so many on a page.")] = 100,
    cursor: Cursor = None,
) -> Response:
    """What is watched, in the order in which it was first seen."""
    after = position_of(cursor, int)

    def page() -> Response:
        found = sorted(call.workspace.assets(site=site, profile=profile), key=lambda one: one.id)
        rest = [one for one in found if after is None or one.id > after[0]][: limit + 1]
        views = {view.asset.id: view for view in call.workspace.describe_assets(rest[:limit])}
        return page_answer(
            request,
            rest,
            limit=limit,
            key=lambda one: [one.id],
            document=lambda one: views[one.id].to_json(),
        )

    return fresh_or(request, call, page)


@router.get("/assets/{asset_id}", responses=problems(404), response_model=AssetDocument)
def show_asset(call: ViewerCall, request: Request, asset_id: AssetNumber) -> Response:
    """One asset."""
    return fresh_or(request, call, lambda: call.workspace.asset(asset_id).to_json())


@router.get("/assets/{asset_id}/signals", responses=problems(404), response_model=list[SignalDocument])
def list_signals(call: ViewerCall, request: Request, asset_id: AssetNumber) -> Response:
    """What an asset sends: units, kinds, bounds."""
    return fresh_or(
        request, call, lambda: [signal_json(one) for one in call.workspace.asset(asset_id).signals]
    )


@router.get("/quality", responses=problems(), response_model=list[QualityDocument])
def show_quality(
    call: ViewerCall,
    request: Request,
    site: Annotated[Name, Query(description="Of this site.")],
    days: Days = 30,
) -> Response:
    """How much of what a site should have sent is there, and what is flagged, by asset and signal."""
    return fresh_or(
        request, call, lambda: call.workspace.quality(call.workspace.assets(site=site), days=days)
    )
