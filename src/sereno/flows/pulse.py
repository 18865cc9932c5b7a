"""Whether anything that a screen shows has changed: a text that changes with it, from one cheap query."""

from sereno.flows.workspace import Workspace

__all__ = ["pulse_of"]


def pulse_of(workspace: Workspace) -> str:
    """The same text as long as no reading came and nothing happened to an incident."""
    with workspace.store.read() as tx:
        return tx.pulse()
