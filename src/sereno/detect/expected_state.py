"""Models of the detector of the expected value as named arrays, and back."""

from collections.abc import Mapping

import numpy as np

from sereno.detect.expected_asset import AssetModel, Paces, SignalModel
from sereno.detect.expected_value import ExpectedValue, Response
from sereno.detect.trailing import Limits

__all__ = ["asset_arrays", "read_asset"]

_PARTS = ("figures", "knots", "weights")


def asset_arrays(model: AssetModel) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """JSON-able header and arrays of an asset."""
    names = sorted(model.signals)
    arrays: dict[str, np.ndarray] = {}
    for s, name in enumerate(names):
        one = model.signals[name]
        arrays |= {f"{s}/usual": one.value.usual, f"{s}/spread": one.spread}
        limits = one.limits
        arrays[f"{s}/limits"] = np.array(
            [limits.row, limits.sustained, limits.pace, float(limits.is_scaled), one.magnitude]
        )
        for w, weather in enumerate(sorted(one.value.responses)):
            response = one.value.responses[weather]
            arrays |= {f"{s}/{w}/{part}": getattr(response, part) for part in _PARTS}
    head = {
        "signals": [[name, sorted(model.signals[name].value.responses)] for name in names],
        "rests": [name for name in names if model.signals[name].value.rests],
        "weather": dict(sorted(model.weather.items())),
        "n_slots": model.n_slots,
        "limit": model.limit,
    }
    return head, arrays


def read_asset(head: Mapping[str, object], arrays: Mapping[str, np.ndarray], paces: Paces) -> AssetModel:
    """The asset that `asset_arrays` described."""
    described: list[tuple[str, list[str]]] = head["signals"]  # type: ignore[assignment]
    weather: Mapping[str, float] = head["weather"]  # type: ignore[assignment]
    resting: list[str] = head.get("rests", [])  # type: ignore[assignment]
    signals = {}
    for s, (name, outside) in enumerate(described):
        row, sustained, pace, is_scaled, magnitude = arrays[f"{s}/limits"].tolist()
        responses = {
            one: Response(*(arrays[f"{s}/{w}/{part}"] for part in _PARTS)) for w, one in enumerate(outside)
        }
        value = ExpectedValue(arrays[f"{s}/usual"], responses, name in resting)
        limits = Limits(row, sustained, paces.hold_days, pace, bool(is_scaled))
        signals[name] = SignalModel(value, arrays[f"{s}/spread"], limits, magnitude)
    return AssetModel(signals, dict(weather), int(str(head["n_slots"])), float(str(head["limit"])))
