"""The one filter bar: fields that narrow a list, as they stand in the query."""

from collections.abc import Sequence
from dataclasses import dataclass

from sereno.console.page import Page

__all__ = ["Choice", "Field", "field_of", "given"]

Choice = tuple[str, str]
"""Value and words."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the bar: free text without choices."""

    name: str
    label: str
    value: str
    choices: Sequence[Choice] = ()


def field_of(page: Page, name: str, choices: Sequence[Choice] = (), *, label: str = "") -> Field:
    """A field with what the query says of it."""
    value = page.request.query_params.get(name, "")
    return Field(name, label or page.words.t(f"filter.{name}"), value, choices)


def given(fields: Sequence[Field]) -> dict[str, object]:
    """The fields that say something, for links."""
    return {one.name: one.value for one in fields if one.value}
