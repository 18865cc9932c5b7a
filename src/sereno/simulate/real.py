"""The one real slice that ships: a Dutch rooftop, hourly, with its origin."""

from pathlib import Path

__all__ = ["real_slice"]

DATA = Path(__file__).parent / "data"
ATTRIBUTION = (
    "Hourly Enphase export of a Dutch home, April to July 2024: sample file of "
    "patrickvorgers/Home-Assistant-Import-Energy-Data, © 2019-2023 Patrick Vorgers, MIT licence; "
    "columns renamed to the Spanish solar export, self-consumption derived. See data/NOTICE.md."
)


def real_slice() -> tuple[Path, str]:
    """The bundled CSV (energies in Wh, naive times of Europe/Amsterdam) and whom it comes from."""
    return DATA / "real_rooftop_nl.csv", ATTRIBUTION
