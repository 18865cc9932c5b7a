"""sereno: night watch for energy and process data.

    >>> import sereno
    >>> sereno.__version__.count(".") >= 2
    True
"""

from typing import TYPE_CHECKING

from sereno.domain.errors import SerenoError
from sereno.version import VERSION as __version__

if TYPE_CHECKING:
    from sereno.flows.workspace import Workspace

__all__ = ["SerenoError", "Workspace", "__version__"]


def __getattr__(name: str) -> object:
    """`Workspace` on first use: the store and the reader take a while to import, and `--help` needs neither."""
    if name == "Workspace":
        from sereno.flows.workspace import Workspace

        return Workspace
    raise AttributeError(f"module 'sereno' has no attribute '{name}'")
