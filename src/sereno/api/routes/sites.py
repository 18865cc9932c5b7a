"""Sites and the assets that stand on them."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from sereno.api.context import ViewerCall

__all__ = ["router"]

router = APIRouter(tags=["sites"])


class SiteDocument(BaseModel):
    """A place."""

    name: str = Field(description="As in the files that it came from.", examples=["Planta 1"])
    assets: list[str] = Field(description="What is watched there.", examples=[["Inversor 1"]])


@router.get("/sites")
def list_sites(call: ViewerCall) -> list[SiteDocument]:
    """The sites of the organization, by name."""
    found: dict[str, list[str]] = {}
    for key in call.workspace.asset_keys():
        found.setdefault(key.site, []).append(key.asset)
    return [SiteDocument(name=site, assets=sorted(assets)) for site, assets in sorted(found.items())]
