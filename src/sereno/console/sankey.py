"""Where the energy of a plant came from and went, as widths: a picture without a library or a script."""

from collections.abc import Mapping
from dataclasses import dataclass

from sereno.console.wording import Wording

__all__ = ["Flow", "Node", "Sankey", "sankey_of"]

_WIDTH, _HEIGHT = 720, 220
_BAR, _GAP = 14, 18
_UNIT = "kWh"


@dataclass(frozen=True, slots=True)
class Node:
    """A bar with its words; `side` says on which side of the bar they stand."""

    name: str
    label: str
    text: str
    x: float
    y: float
    height: float
    side: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A band between two bars."""

    name: str
    path: str
    title: str


@dataclass(frozen=True, slots=True)
class Sankey:
    """The whole picture, in a box of `width` × `height`."""

    nodes: tuple[Node, ...]
    flows: tuple[Flow, ...]
    width: int = _WIDTH
    height: int = _HEIGHT


def sankey_of(sums: Mapping[str, float], words: Wording, labels: Mapping[str, str]) -> Sankey | None:
    """Generation and import on the left, export and consumption on the right; None without both meters.

    Self-consumption is what leads from generation to consumption, as the meters say.
    """
    if not {"generation", "consumption", "self_consumption"} <= set(sums):
        return None
    own = max(sums["self_consumption"], 0.0)
    sold = max(sums.get("export", sums["generation"] - own), 0.0)
    bought = max(sums.get("import", sums["consumption"] - own), 0.0)
    total = max(own + sold + bought, 1e-9)
    if total <= 1e-9:
        return None
    scale = (_HEIGHT - _GAP) / total
    made, used = own + sold, own + bought
    right = _WIDTH - _BAR

    def node(name: str, value: float, x: float, y: float, side: str) -> Node:
        text = words.quantity(value, _UNIT)
        return Node(name, labels.get(name, name), text, x, y, max(value * scale, 1.0), side)

    low_left, low_right = made * scale + _GAP, sold * scale + _GAP
    nodes = (
        node("generation", made, 0, 0, "right"),
        node("import", bought, 0, low_left, "right"),
        node("export", sold, right, 0, "left"),
        node("consumption", used, right, low_right, "left"),
    )
    bands = (
        ("export", sold, 0.0, 0.0),
        ("self_consumption", own, sold * scale, low_right),
        ("import", bought, low_left, low_right + own * scale),
    )
    flows = tuple(
        Flow(
            name, _band(left, to, value * scale), f"{labels.get(name, name)}: {words.quantity(value, _UNIT)}"
        )
        for name, value, left, to in bands
        if value * scale > 0.2
    )
    return Sankey(nodes, flows)


def _band(left: float, right: float, thick: float) -> str:
    begin, end, middle = _BAR, _WIDTH - _BAR, _WIDTH / 2
    under_left, under_right = left + thick, right + thick
    upper = f"M{begin} {left:.1f}C{middle} {left:.1f} {middle} {right:.1f} {end} {right:.1f}"
    back = f"C{middle} {under_right:.1f} {middle} {under_left:.1f} {begin} {under_left:.1f}Z"
    lower = f"L{end} {under_right:.1f}{back}"
    return upper + lower
