"""What people call a segment."""

from sereno.i18n.catalogue import has, sentence

__all__ = ["segment_name"]


def segment_name(segment: str, language: str) -> str:
    """The words for a segment as lists and filters name it, `gas 0`; other texts stay as they are.

    Example:
        >>> segment_name("gas 0", "en")
        'Gas client, group 1'
    """
    profile, _, number = segment.rpartition(" ")
    if not profile or not number.isdecimal():
        return segment
    key = f"console.profile.{profile}"
    name = sentence(key, language) if has(key) else profile
    return sentence("console.segment.name", language, profile=name, number=int(number) + 1)
