"""Which incident explains another: no data of an asset, and one cause for many assets."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sereno.domain.incidents import EventKind, Incident, IncidentEvent, apply
from sereno.domain.judgement import Detection, IncidentKind
from sereno.domain.kin import Kin
from sereno.domain.signals import AssetKey
from sereno.incidents.grouping import group_key
from sereno.incidents.inhibition import common_leads, silent_parents
from tests.support.builders import HOUR, NOW, a_detection

STEP = HOUR / 4


def trouble(after: timedelta, length: timedelta | None = None, **changes: object) -> Detection:
    """Low generation, or what `changes` say, some time after NOW."""
    start: datetime = NOW + after
    end = None if length is None else start + length
    return a_detection(started_at=start, ended_at=end, last_at=start, peak_at=start, **changes)


def silent(after: timedelta, length: timedelta | None = None, **changes: object) -> Detection:
    said = {"kind": IncidentKind.DATA, "check": "quality.missing", "cause": "quality.missing"}
    return trouble(after, length, **(said | changes))


def incident(detection: Detection, name: str) -> Incident:
    event = IncidentEvent(EventKind.OPENED, NOW, detection.started_at, detection=detection)
    return apply(None, event, incident_id=name, group_key=group_key(detection))


@pytest.mark.parametrize(
    ("child", "parent", "wanted"),
    [
        (trouble(HOUR), silent(HOUR), {"p"}),
        (trouble(HOUR - STEP), silent(HOUR), {"p"}),
        (trouble(-5 * HOUR), silent(HOUR), set()),
        (trouble(HOUR, HOUR), silent(HOUR, HOUR), {"p"}),
        (trouble(HOUR, 9 * HOUR), silent(HOUR, HOUR), set()),
        (trouble(HOUR), silent(HOUR, HOUR), set()),
        (trouble(5 * HOUR, HOUR), silent(HOUR, HOUR), set()),
        (silent(HOUR, cause="quality.frozen", check="quality.frozen"), silent(HOUR), set()),
        (trouble(HOUR), silent(HOUR, asset=AssetKey("Planta 2", "Planta 2")), set()),
    ],
    ids=[
        "begins with it",
        "begins a step before",
        "began hours before",
        "ends with it",
        "outlasts it",
        "goes on after it",
        "begins after it",
        "data are not explained by data",
        "another asset",
    ],
)
def test_no_data_explains_what_began_with_it(child: Detection, parent: Detection, wanted: set[str]) -> None:
    found = silent_parents(
        incident(child, "c"), [incident(parent, "p")], step=STEP, now=NOW + timedelta(days=1)
    )

    assert found == wanted


def kin(count: int, *, n_sites: int = 1, gap: timedelta = STEP / 4, signal: str = "generation") -> list[Kin]:
    return [
        Kin.of(
            incident(
                trouble(n * gap, asset=AssetKey(f"Planta {n % n_sites}", f"Equipo {n}"), signals=(signal,)),
                f"i{n:03}",
            )
        )
        for n in range(count)
    ]


def leads(child: Detection, others: list[Kin], n_in_fleet: int = 100) -> set[str]:
    return common_leads(incident(child, "z"), others, n_in_fleet=n_in_fleet, step=STEP, now=NOW + HOUR)


OWN = trouble(timedelta(0), asset=AssetKey("Planta 0", "Equipo 99"), signals=("generation",))


def test_three_assets_of_a_site_have_it_in_common() -> None:
    assert leads(OWN, kin(1)) == set()
    assert leads(OWN, kin(2)) == {"i000"}


def test_other_trouble_or_other_times_are_not_in_common() -> None:
    assert leads(OWN, kin(5, signal="import")) == set()
    assert leads(OWN, kin(5, gap=9 * STEP)) == set()


def test_sites_have_it_in_common_when_half_of_all_do() -> None:
    assert leads(OWN, kin(9, n_sites=9), n_in_fleet=100) == set()
    assert leads(OWN, kin(9, n_sites=9), n_in_fleet=20) == {"i000"}


def test_the_first_speaks_and_is_not_spoken_for() -> None:
    first = trouble(-STEP, asset=AssetKey("Planta 0", "Equipo 99"), signals=("generation",))

    assert leads(first, kin(4)) == set()


def test_one_that_speaks_for_others_goes_on_to_when_an_earlier_one_is_found() -> None:
    names = [AssetKey("Site", f"Meter {number}") for number in range(5)]
    told, *others = (incident(trouble(HOUR, asset=key), f"i{n}") for n, key in enumerate(names[:4]))
    kin = [replace(Kin.of(one), inhibitors=() if one is told else ("i0",)) for one in (told, *others)]
    earlier = incident(trouble(HOUR - STEP, asset=names[4]), "i4")

    def leads(child: Incident) -> set[str]:
        return common_leads(child, [*kin, Kin.of(earlier)], n_in_fleet=100, step=STEP, now=NOW + 2 * HOUR)

    assert [leads(one) for one in (earlier, told, others[0])] == [{"i0"}, set(), {"i0"}]
