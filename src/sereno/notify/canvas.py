"""Lines, areas and words on a small bitmap, drawn large and brought down so that edges are smooth."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import hypot

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

__all__ = ["HEIGHT", "WIDTH", "Canvas"]

WIDTH, HEIGHT = 480, 240
"""Size as it is shown; the picture has twice as many pixels each way."""
_DENSITY = 2
_DRAWN = 2
"""Drawn so many times larger than stored."""
_SCALE = _DENSITY * _DRAWN
_TEXT_SIZE = 14
_MAX_COLOURS, _BLOCK = 256, 4_096
_SHADES = 12
"""Steps from a colour to each background that it is drawn on."""
_FACES = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc", "segoeui.ttf")
_BOLD_FACES = ("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Place = tuple[float, float]


class Canvas:
    """A white picture; places count from the top left, in units of the shown size.

    Args:
        colours: All that will be drawn with.
        backgrounds: Those of them that others are drawn over.
    """

    def __init__(self, colours: Sequence[str], backgrounds: Sequence[str]) -> None:
        self._palette = _palette(colours, ["#ffffff", *backgrounds])
        self._image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), "#ffffff")
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: str, *, outline: str | None = None
    ) -> None:
        """A filled rectangle."""
        corners = [edge * _SCALE for edge in (left, top, right, bottom)]
        self._draw.rectangle(corners, fill=colour, outline=outline, width=_DRAWN)

    def area(self, places: Sequence[Place], colour: str) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in places], fill=colour)

    def line(
        self,
        runs: Sequence[Sequence[Place]],
        colour: str,
        *,
        width: float,
        dash: tuple[float, float] | None = None,
    ) -> None:
        """Lines through places, broken between runs; `dash` is drawn and left out by turns."""
        for run in runs:
            for part in _dashes(run, *dash) if dash else [run]:
                scaled = [(x * _SCALE, y * _SCALE) for x, y in part]
                self._draw.line(scaled, fill=colour, width=round(width * _SCALE), joint="curve")

    def text(
        self, x: float, y: float, words: str, colour: str, *, anchor: str, is_bold: bool = False
    ) -> None:
        """Words at a place; the anchor is Pillow's: `lm` is left and middle."""
        font, shown = _fitting(words, is_bold=is_bold)
        self._draw.text((x * _SCALE, y * _SCALE), shown, fill=colour, font=font, anchor=anchor)

    def width_of(self, words: str) -> float:
        """How wide words are."""
        font, shown = _fitting(words, is_bold=False)
        return font.getlength(shown) / _SCALE

    def finished(self) -> Image.Image:
        """The picture in few colours, so that it is small."""
        size = (WIDTH * _DENSITY, HEIGHT * _DENSITY)
        smooth = self._image.resize(size, Image.Resampling.LANCZOS)
        return _in_palette(smooth, self._palette)


def _palette(colours: Sequence[str], backgrounds: Sequence[str]) -> npt.NDArray[np.int64]:
    """Every colour, and its way to every background: what smooth edges are made of."""
    found: dict[tuple[int, ...], None] = {ImageColor.getrgb(one): None for one in [*colours, *backgrounds]}
    for step in range(1, _SHADES):
        for colour in colours:
            for ground in backgrounds:
                pairs = zip(ImageColor.getrgb(colour), ImageColor.getrgb(ground), strict=True)
                found[tuple(round(a + (b - a) * step / _SHADES) for a, b in pairs)] = None
    return np.array(list(found)[:_MAX_COLOURS], dtype=np.int64)


def _in_palette(image: Image.Image, palette: npt.NDArray[np.int64]) -> Image.Image:
    """The picture with the nearest colour of a palette in each place; Pillow's own way takes one nearby."""
    packed = np.asarray(image).astype(np.int64) @ np.array([65_536, 256, 1])
    found, where = np.unique(packed, return_inverse=True)
    colours = np.stack([found >> 16, (found >> 8) & 255, found & 255], axis=1)
    nearest = np.empty(len(found), dtype=np.uint8)
    for start in range(0, len(found), _BLOCK):
        apart = colours[start : start + _BLOCK, None, :] - palette[None, :, :]
        nearest[start : start + _BLOCK] = (apart**2).sum(axis=2).argmin(axis=1)
    small = Image.fromarray(nearest[where].reshape(packed.shape), "P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


def _dashes(run: Sequence[Place], drawn: float, left_out: float) -> list[list[Place]]:
    """The parts of a line that a dash pattern draws, which runs on around corners."""
    parts: list[list[Place]] = []
    current: list[Place] = [run[0]]
    is_drawn, left = True, drawn
    for start, end in pairwise(run):
        length = hypot(end[0] - start[0], end[1] - start[1])
        done = 0.0
        while length - done > left:
            done += left
            share = done / length
            place = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
            if is_drawn:
                parts.append([*current, place])
            current, is_drawn = [place], not is_drawn
            left = drawn if is_drawn else left_out
        left -= length - done
        current.append(end)
    return [*parts, current] if is_drawn and len(current) > 1 else parts


def _fitting(words: str, *, is_bold: bool) -> tuple[Font, str]:
    """A font of this machine, or the one of Pillow with the letters that it has."""
    font = _font(_BOLD_FACES if is_bold else _FACES)
    if font is not None:
        return font, words
    plain = unicodedata.normalize("NFKD", words.replace("–", "-")).encode("ascii", "ignore").decode()
    return _built_in(), plain


@lru_cache(maxsize=2)
def _font(faces: tuple[str, ...]) -> ImageFont.FreeTypeFont | None:
    for face in faces:
        try:
            return ImageFont.truetype(face, _TEXT_SIZE * _SCALE)
        except OSError:
            continue
    return None


@lru_cache(maxsize=1)
def _built_in() -> Font:
    return ImageFont.load_default(_TEXT_SIZE * _SCALE)
