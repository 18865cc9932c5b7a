"""What a workspace holds, for comparing two of them."""

from dataclasses import astuple

from sereno.flows.workspace import Workspace

Plain = tuple[object, ...]
_NAMES = {"id", "opened_at"}


def stored_readings(workspace: Workspace) -> dict[str, list[str]]:
    """Every stored row of every asset, as text (NaN equals NaN)."""
    found = {}
    with workspace.store.read() as tx:
        for asset in tx.assets():
            rows = tx.rows(asset.id, asset.profile)
            plain = zip(rows.time.tolist(), rows.values.tolist(), rows.quality.tolist(), strict=True)
            found[str(asset.key)] = [repr((rows.signals, *row)) for row in plain]
    return found


def stored_detections(workspace: Workspace) -> list[str]:
    """Every stored detection, as text."""
    with workspace.store.read() as tx:
        stored = [one.detection for asset in tx.assets() for one in tx.detections(asset.id)]
    return sorted(repr(astuple(one)) for one in stored)


def told_incidents(workspace: Workspace) -> list[Plain]:
    """Every incident as it is told, with the id that names it."""
    return sorted(
        (view.incident.id, *_life(view.to_json(workspace._setup.clock()))) for view in workspace.incidents()
    )


def told_lives(workspace: Workspace) -> list[Plain]:
    """Every incident as it is told, whatever its name and whenever it was recorded."""
    return sorted(_life(view.to_json(workspace._setup.clock())) for view in workspace.incidents())


def _life(told: dict[str, object]) -> Plain:
    return tuple(repr(_without_names(value)) for name, value in told.items() if name not in _NAMES)


def _without_names(value: object) -> object:
    """A value without the ids of incidents that it speaks of."""
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if name not in _NAMES}
    return [_without_names(one) for one in value] if isinstance(value, list) else value
