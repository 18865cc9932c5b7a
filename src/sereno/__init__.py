"""sereno: night watch for energy and process data.

>>> import sereno
>>> sereno.__version__.count(".") >= 2
True
"""

from typing import TYPE_CHECKING

from sereno.domain.errors import SerenoError
from sereno.domain.version import VERSION

if TYPE_CHECKING:
    from sereno.flows.workspace import Workspace

__all__ = ["SerenoError", "Workspace", "__version__"]

__version__ = VERSION


def __getattr__(name: str) -> object:
    """`Workspace` on first use: the store and the reader are slow to import, and `--help` needs neither."""
    if name == "Workspace":
        from sereno.flows.workspace import Workspace

        return Workspace
    raise AttributeError(f"module 'sereno' has no attribute '{name}'")
