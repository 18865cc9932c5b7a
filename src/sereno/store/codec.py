"""Domain objects as columns and strict JSON, and back."""

import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import cast

from sereno.domain.incidents import Condition, EventKind, HumanState, Incident, IncidentEvent, Verdict
from sereno.domain.judgement import Calibration, Detection, IncidentKind, ModelCard, Severity
from sereno.domain.ranking import Lost, days_lasted, lost_of, trouble_of
from sereno.domain.registry import ForecasterCard
from sereno.domain.signals import AssetKey

__all__ = [
    "EXPORTED",
    "INSTANTS",
    "Document",
    "card_document",
    "card_of",
    "detection_columns",
    "detection_document",
    "detection_of",
    "event_columns",
    "event_of",
    "evidence_of",
    "forecaster_document",
    "forecaster_of",
    "incident_columns",
    "incident_of",
    "none_if_nan",
    "ranking_columns",
]

Document = Mapping[str, object]

INSTANTS = ("started_at", "ended_at", "last_at", "peak_at")
EXPORTED = "export:"
"""Before the unit of what was not sold: it has another price."""
FIGURES = ("score", "threshold", "observed", "expected", "impact")


_OWN_FIELDS = tuple(one.name for one in fields(Detection) if one.name != "asset")


def detection_columns(detection: Detection) -> dict[str, object]:
    """The columns of table `detection`, without its identity."""
    row = {name: getattr(detection, name) for name in _OWN_FIELDS}
    row |= {name: none_if_nan(row[name]) for name in FIGURES}
    contributions = {name: _number(share) for name, share in detection.contributions.items()}
    plain = {"kind": detection.kind.value, "severity": int(detection.severity)}
    return row | plain | {"signals": list(detection.signals), "contributions": contributions}


def detection_of(row: Document, asset: AssetKey) -> Detection:
    """The detection whose columns these are."""
    known = {name: row[name] for name in _OWN_FIELDS}
    known |= {name: _float(row[name]) for name in FIGURES}
    shares = cast("Mapping[str, object]", row["contributions"])
    known["contributions"] = {name: _float(share) for name, share in shares.items()}
    known["signals"] = tuple(cast("list[str]", row["signals"]))
    known["kind"] = IncidentKind(cast("str", row["kind"]))
    known["severity"] = Severity(cast("int", row["severity"]))
    return Detection(asset=asset, **known)  # type: ignore[arg-type]  # each field has its column's type


def detection_document(detection: Detection) -> dict[str, object]:
    """A detection as strict JSON."""
    document = detection_columns(detection)
    document |= {name: _number(getattr(detection, name)) for name in FIGURES}
    document |= {name: _text_of(getattr(detection, name)) for name in INSTANTS}
    return document | {"site": detection.asset.site, "asset": detection.asset.asset}


def event_columns(event: IncidentEvent) -> dict[str, object]:
    """The columns of table `incident_event`, without its identity."""
    return {
        "kind": event.kind.value,
        "at": event.at,
        "event_time": event.event_time,
        "actor": event.actor,
        "detection": None if event.detection is None else detection_document(event.detection),
        "facts": dict(event.facts),
    }


def event_of(row: Document) -> IncidentEvent:
    """The event whose columns these are."""
    detection = cast("Document | None", row["detection"])
    return IncidentEvent(
        kind=EventKind(cast("str", row["kind"])),
        at=cast("datetime", row["at"]),
        event_time=cast("datetime", row["event_time"]),
        actor=cast("str", row["actor"]),
        detection=None if detection is None else _detection_of_document(detection),
        facts=cast("Mapping[str, str]", row["facts"]),
    )


def incident_columns(incident: Incident) -> dict[str, object]:
    """The columns of table `incident` that its events derive."""
    return {
        "kind": incident.kind.value,
        "cause": incident.worst.cause,
        "severity": int(incident.severity),
        "opened_at": incident.opened_at,
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "condition": incident.condition.value,
        "state": incident.state.value,
        "verdict": None if incident.verdict is None else incident.verdict.value,
        "owner": incident.owner,
        "shelved_until": incident.shelved_until,
        "is_withdrawn": incident.is_withdrawn,
        "n_events": incident.n_events,
        "evidence": [detection_document(detection) for detection in incident.evidence],
        "comments": [[_text_of(at), actor, text] for at, actor, text in incident.comments],
        "is_unattended": incident.is_unattended,
        "acknowledged_severity": incident.acknowledged_severity and int(incident.acknowledged_severity),
        "escalated": incident.escalated,
        "silences": dict(incident.silences),
        "inhibitors": list(incident.inhibitors),
        "is_chattering": incident.is_chattering,
        **ranking_columns(incident),
    }


def ranking_columns(incident: Incident) -> dict[str, object]:
    """The columns of table `incident` that lists are sorted and grouped by."""
    lost = lost_of(incident) or Lost(0.0, "")
    until = incident.ended_at or max(one.last_at for one in incident.leading)
    return {
        "n_rows": sum(one.n_rows for one in incident.evidence),
        "lost": lost.amount,
        "lost_per_day": lost.amount / days_lasted(until - incident.started_at),
        "lost_unit": f"{EXPORTED}{lost.unit}" if lost.is_export else lost.unit,
        "trouble": trouble_of(incident),
    }


def evidence_of(documents: object) -> tuple[Detection, ...]:
    """What column `evidence` holds."""
    return tuple(_detection_of_document(one) for one in cast("list[Document]", documents))


def incident_of(row: Document) -> Incident:
    """The incident whose columns these are."""
    verdict = cast("str | None", row["verdict"])
    comments = cast("list[tuple[str, str, str]]", row["comments"])
    acknowledged = cast("int | None", row["acknowledged_severity"])
    return Incident(
        id=cast("str", row["id"]),
        group_key=cast("str", row["group_key"]),
        opened_at=cast("datetime", row["opened_at"]),
        evidence=evidence_of(row["evidence"]),
        condition=Condition(cast("str", row["condition"])),
        state=HumanState(cast("str", row["state"])),
        verdict=None if verdict is None else Verdict(verdict),
        owner=cast("str", row["owner"]),
        shelved_until=cast("datetime | None", row["shelved_until"]),
        comments=tuple((datetime.fromisoformat(at), actor, text) for at, actor, text in comments),
        is_withdrawn=cast("bool", row["is_withdrawn"]),
        n_events=cast("int", row["n_events"]),
        is_unattended=cast("bool", row["is_unattended"]),
        acknowledged_severity=None if acknowledged is None else Severity(acknowledged),
        escalated=cast("int", row["escalated"]),
        silences=cast("Mapping[str, str]", row["silences"]),
        inhibitors=tuple(cast("list[str]", row["inhibitors"])),
        is_chattering=cast("bool", row["is_chattering"]),
    )


def card_document(card: ModelCard) -> dict[str, object]:
    """A model card as strict JSON."""
    document: dict[str, object] = {one.name: getattr(card, one.name) for one in fields(ModelCard)}
    calibration = {one.name: getattr(card.calibration, one.name) for one in fields(Calibration)}
    return document | {
        "trained_at": _text_of(card.trained_at),
        "assets": [[key.site, key.asset] for key in card.assets],
        "signals": list(card.signals),
        "settings": dict(card.settings),
        "calibration": {name: _number(part) for name, part in calibration.items()},
        "metrics": {name: _number(figure) for name, figure in card.metrics.items()},
    }


def card_of(document: Document) -> ModelCard:
    """The card that `card_document` wrote."""
    known = {one.name: document[one.name] for one in fields(ModelCard)}
    calibration = dict(cast("dict[str, object]", document["calibration"]))
    for one in fields(Calibration):
        if one.type is float:
            calibration[one.name] = _float(calibration[one.name])
    metrics = cast("dict[str, object]", document["metrics"])
    known |= {
        "trained_at": datetime.fromisoformat(cast("str", document["trained_at"])),
        "assets": tuple(AssetKey(*key) for key in cast("list[tuple[str, str]]", document["assets"])),
        "signals": tuple(cast("list[str]", document["signals"])),
        "calibration": Calibration.of_document(calibration),
        "metrics": {name: _float(figure) for name, figure in metrics.items()},
    }
    return ModelCard(**known)  # type: ignore[arg-type]


def forecaster_document(card: ForecasterCard) -> dict[str, object]:
    """The card of a forecaster as strict JSON."""
    document: dict[str, object] = {one.name: getattr(card, one.name) for one in fields(ForecasterCard)}
    return document | {
        "trained_at": _text_of(card.trained_at),
        "until": _text_of(card.until),
        "assets": [[key.site, key.asset] for key in card.assets],
        "settings": dict(card.settings),
        "metrics": {name: _number(figure) for name, figure in card.metrics.items()},
    }


def forecaster_of(document: Document) -> ForecasterCard:
    """The card that `forecaster_document` wrote."""
    known = {one.name: document[one.name] for one in fields(ForecasterCard)}
    metrics = cast("dict[str, object]", document["metrics"])
    known |= {
        "trained_at": datetime.fromisoformat(cast("str", document["trained_at"])),
        "until": datetime.fromisoformat(cast("str", document["until"])),
        "assets": tuple(AssetKey(*key) for key in cast("list[tuple[str, str]]", document["assets"])),
        "metrics": {name: _float(figure) for name, figure in metrics.items()},
    }
    return ForecasterCard(**known)  # type: ignore[arg-type]


def none_if_nan(figure: float) -> float | None:
    """How a figure without meaning is stored."""
    return None if math.isnan(figure) else float(figure)


def _detection_of_document(document: Document) -> Detection:
    instants = {name: _instant_of(cast("str | None", document[name])) for name in INSTANTS}
    asset = AssetKey(cast("str", document["site"]), cast("str", document["asset"]))
    return detection_of({**document, **instants}, asset)


def _number(figure: object) -> object:
    """A figure in strict JSON: null for NaN, text for the infinities; anything else as it is."""
    if not isinstance(figure, float) or math.isfinite(figure):
        return figure
    return None if math.isnan(figure) else str(figure)


def _float(stored: object) -> float:
    return math.nan if stored is None else float(cast("float | str", stored))


def _text_of(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant_of(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
