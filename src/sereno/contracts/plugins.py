"""Classes by name: the package's own, and those that other packages declare as entry points."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points

__all__ = ["PluginBroken", "Plugins", "nearest_first"]


class PluginBroken(Exception):
    """What another package declares cannot be imported; the message says what and why."""


@dataclass(frozen=True)
class Plugins:
    """What can be asked for by name.

    Attributes:
        group: Of the entry points by which other packages declare theirs.
        built_in: The package's own, each as `module:attribute`; nobody else can take their names.
    """

    group: str
    built_in: Mapping[str, str]

    def declared(self) -> list[str]:
        """Names that other packages declare."""
        return sorted(one.name for one in entry_points(group=self.group) if one.name not in self.built_in)

    def load(self, name: str) -> object | None:
        """What bears that name; None where nothing does.

        Raises:
            PluginBroken: Another package declares it, and it cannot be imported.
            ImportError: A module that one of the package's own stands on is missing.
        """
        if name in self.built_in:
            module, _, attribute = self.built_in[name].partition(":")
            own: object = getattr(import_module(module), attribute)
            return own
        found = next(iter(entry_points(group=self.group, name=name)), None)
        if found is None:
            return None
        try:
            loaded: object = found.load()
        except (ImportError, AttributeError) as error:
            raise PluginBroken(f"'{found.value}' cannot be imported ({error})") from error
        return loaded


def nearest_first(name: str, known: Iterable[str]) -> str:
    """The names that can be asked for, those most like `name` first."""
    names = list(known)
    near = difflib.get_close_matches(name, names)
    return ", ".join([*near, *(one for one in names if one not in near)])
