"""A ticket recipe: which requests make a ticket, as data."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, JsonValue, ValidationError

from sereno.notify.options import SenderOptions
from sereno.notify.template import names_in

__all__ = ["Recipe", "Step", "load_recipe", "look_up", "recipe_names"]

_SUFFIX = ".yaml"


class Step(SenderOptions):
    """One request of a recipe."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = Field(description="How it is asked.")
    path: str = Field(pattern="^/", description="What follows the url of the receiver.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers, templates.")
    body: JsonValue = Field(default=None, description="What is sent as JSON, a template.")
    keeps: dict[str, str] = Field(
        default_factory=dict, description="Names for later steps, and where in the answer: {a: b.0.c}."
    )
    ends_if: str = Field(default="", description="Place in the answer that is filled if the ticket exists.")
    tells: str = Field(default="", description="Place in the answer of the number of the ticket.")
    creates: bool = Field(default=False, description="Whether it makes the ticket; a test leaves it out.")
    closes: bool = Field(default=False, description="Whether it only tidies up, however it went.")


class Recipe(SenderOptions):
    """What a system for tickets wants to be asked."""

    requires: list[str] = Field(default_factory=list, description="Values that the receiver must give.")
    values: dict[str, str] = Field(
        default_factory=dict, description="Values unless the receiver gives others."
    )
    choices: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Values that follow from a fact: {priority: {by: severity, high: '2', other: '3'}}.",
    )
    fields_at: str = Field(default="", description="Place in the body where fields of the receiver go.")
    steps: list[Step] = Field(min_length=1, description="The requests, in order.")

    def names(self) -> set[str]:
        """The facts that its templates ask for, without those that its own steps keep."""
        wanted = set(names_in([[one.path, dict(one.headers), one.body] for one in self.steps]))
        return wanted - {name for step in self.steps for name in step.keeps}


def recipe_names() -> list[str]:
    """The recipes of this package."""
    files = resources.files("sereno.notify").joinpath("recipes").iterdir()
    return sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX))


def load_recipe(name: str, folder: Path) -> Recipe:
    """A recipe of this package by name, or one of the user by path.

    Raises:
        ValueError: There is none, or it is not sound.
    """
    if name in recipe_names():
        text = resources.files("sereno.notify").joinpath("recipes", name + _SUFFIX).read_text("utf-8")
    elif name.endswith((_SUFFIX, ".yml")) and (folder / name).is_file():
        text = (folder / name).read_text("utf-8")
    else:
        raise ValueError(
            f"there is no recipe '{name}': there are {', '.join(recipe_names())}, or a file.yaml"
        )
    try:
        return Recipe.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(f"the recipe '{name}' is not valid YAML") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"the recipe '{name}' is not sound: '{place}': {first['msg']}") from error


def look_up(document: object, place: str) -> object:
    """What stands at a place such as `issues.0.key`; None where there is nothing.

    Example:
        >>> look_up({"issues": [{"key": "OPS-7"}]}, "issues.0.key")
        'OPS-7'
    """
    for part in place.split(".") if place else ():
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    return document
