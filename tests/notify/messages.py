"""Messages and incidents as the flows hand them over."""

from datetime import UTC, datetime
from typing import Any

from sereno.contracts.notification import Message

AT = datetime(2025, 3, 10, 11, 30, tzinfo=UTC)


def an_incident(**changes: Any) -> dict[str, Any]:
    """The object of `incidents list --json`."""
    return {
        "id": "0b1c9f6e-5d0e-4a2a-9d43-0c6e8f1d2a11",
        "site": "Planta 3",
        "asset": "Planta 3",
        "signals": ["generation"],
        "kind": "behaviour",
        "cause": "behaviour.low",
        "problem": "generation_failure",
        "severity": "critical",
        "condition": "active",
        "state": "new",
        "verdict": None,
        "visibility": "shown",
        "timezone": "Europe/Madrid",
        "peak_at": "2025-03-10T10:15:00Z",
        "recommendation": "Check protections, inverter and strings first.",
        "recommendation_es": "Revise primero protecciones, inversor y cadenas.",
        "opened_at": "2025-03-10T08:31:00Z",
        "started_at": "2025-03-10T08:15:00Z",
        "ended_at": None,
        "score": 8.0,
        "threshold": 1.0,
        "observed": 0.0,
        "expected": 42.5,
        "normal_to": 37.2,
        "unit": "kWh",
        "impact": -68.9,
        "impact_unit": "kWh",
        "cost": 12.4,
        "currency": "EUR",
        "sentence": "Generation failure – Planta 3 has stopped generating.",
        "sentence_es": "Fallo de generación – Planta 3 ha dejado de generar.",
        "model": "m1",
        **changes,
    }


def a_message(**changes: Any) -> Message:
    """What a receiver is told of an incident."""
    values: dict[str, Any] = {
        "key": "0b1c9f6e:1:guardia:0",
        "event": "opened",
        "at": AT,
        "language": "es",
        "subject": "[crítica] Planta 3: fallo de generación – 12,40 €",
        "text": "Planta 3 ha dejado de generar: 68,9 kWh menos de lo esperado.",
        "facts": {"incidents": [an_incident()]},
        **changes,
    }
    return Message(**values)
