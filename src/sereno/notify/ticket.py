"""Tickets in Jira, ServiceNow, GLPI or whatever a recipe describes: one for each incident."""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, JsonValue, PrivateAttr, SecretStr, ValidationInfo, model_validator

from sereno.contracts.notification import Answer, Message, Outcome
from sereno.domain.time import system_clock
from sereno.notify.answers import answer_of, one_line
from sereno.notify.facts import FACTS, facts_of
from sereno.notify.http import HttpOptions, Request, check_url, exchange
from sereno.notify.options import Place
from sereno.notify.payload import encode, header_text
from sereno.notify.recipe import Recipe, Step, load_recipe, look_up
from sereno.notify.template import fill, names_in

__all__ = ["TicketSender"]

_LOGIN = ("user", "token", "app_token")
_SKIPPED = ("resolved", "cleared", "withdrawn", "closed", "acknowledged", "heartbeat")
_TEST = "test"
_OTHER = "other"
_URL_SAFE = "-._~"


class TicketSender(HttpOptions):
    """Makes tickets as a recipe says; a message of an incident that has one makes no second."""

    recipe: str = Field(
        description="jira, jira_server, servicenow, glpi, or the path of a recipe of your own."
    )
    url: Annotated[SecretStr, AfterValidator(check_url)] = Field(
        description="Where the system is; of GLPI with /apirest.php."
    )
    user: str | None = Field(default=None, description="Name for the login, where the recipe wants one.")
    token: SecretStr = Field(description="Token or password.")
    app_token: SecretStr | None = Field(default=None, description="Second token, where the recipe wants one.")
    values: dict[str, str] = Field(
        default_factory=dict, description="Values of the recipe: {project: OPS, issue_type: Bug}."
    )
    choices: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Choices of the recipe: {priority: {critical: Blocker}}."
    )
    fields: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Fields of the ticket, templates; null leaves one out.",
    )
    skip: list[str] = Field(
        default_factory=lambda: list(_SKIPPED), description="Events that make no ticket, if there is none."
    )
    _recipe: Recipe = PrivateAttr()

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        folder = info.context.folder if isinstance(info.context, Place) else Place().folder
        recipe = load_recipe(self.recipe, folder)
        known = {*recipe.values, *self.values, *(name for name in _LOGIN if getattr(self, name) is not None)}
        if missing := sorted(set(recipe.requires) - known):
            raise ValueError(f"the recipe '{self.recipe}' needs {', '.join(missing)}")
        names = {*known, *recipe.choices, *FACTS, "basic"}
        if unknown := sorted((recipe.names() | set(names_in(self.fields))) - names):
            raise ValueError(f"there is no fact {', '.join(unknown)}: there are {', '.join(sorted(names))}")
        self._recipe = recipe
        return self

    def send(self, message: Message) -> Answer:
        """Make the ticket, unless it is there; a test asks everything but that."""
        if message.event in self.skip:
            return Answer(Outcome.ACCEPTED, "skipped", f"{message.event} makes no ticket")
        facts = self._facts(message)
        answer = Answer(Outcome.ACCEPTED)
        for step in self._recipe.steps:
            if step.closes or (step.creates and message.event == _TEST):
                continue
            found = self._take(step, facts)
            if isinstance(found, Answer):
                answer = found
                break
            answer = Answer(Outcome.ACCEPTED, found[0], found[1])
        for step in self._recipe.steps:
            if step.closes and set(names_in([step.path, dict(step.headers)])) <= set(facts):
                self._take(step, facts)
        return answer

    def _take(self, step: Step, facts: dict[str, str]) -> Answer | tuple[str, str]:
        """One step: its code and what it tells, or the answer that ends it all; adds facts that it keeps."""
        reply = exchange(self._request(step, facts), self)
        if isinstance(reply, Answer):
            return reply
        answer = answer_of(reply, self._secrets(facts), now=system_clock())
        if answer.outcome is not Outcome.ACCEPTED:
            return answer
        document = _parsed(reply.body)
        if document is None and (step.keeps or step.ends_if):
            return Answer(Outcome.RETRY, "unreadable", "the answer is no JSON")
        facts.update({name: str(look_up(document, place) or "") for name, place in step.keeps.items()})
        told = one_line(str(look_up(document, step.tells) or ""), ()) if step.tells else ""
        if step.ends_if and look_up(document, step.ends_if):
            return Answer(Outcome.ACCEPTED, "exists", told)
        return answer.code, told

    def _request(self, step: Step, facts: Mapping[str, str]) -> Request:
        path = fill(step.path, facts, quote=lambda value: quote(value, safe=_URL_SAFE))
        headers = {name: str(fill(text, facts, quote=_in_header)) for name, text in step.headers.items()}
        body = b""
        if step.body is not None:
            document: object = step.body
            if step.creates:
                document = _with_fields(step.body, self._recipe.fields_at, self.fields)
            body, headers["Content-Type"] = encode(fill(document, facts)), "application/json; charset=utf-8"
        return Request(step.method, self.url.get_secret_value().rstrip("/") + str(path), headers, body)

    def _facts(self, message: Message) -> dict[str, str]:
        facts = facts_of(message) | self._recipe.values | self.values
        for name, choice in self._recipe.choices.items():
            chosen = choice | self.choices.get(name, {})
            facts[name] = chosen.get(facts.get(chosen.get("by", ""), ""), chosen.get(_OTHER, ""))
        token = self.token.get_secret_value()
        facts |= {"user": self.user or "", "token": token, "basic": _basic(self.user or "", token)}
        return facts if self.app_token is None else facts | {"app_token": self.app_token.get_secret_value()}

    def _secrets(self, facts: Mapping[str, str]) -> tuple[SecretStr, ...]:
        kept = (name for step in self._recipe.steps for name in step.keeps)
        return (
            self.url,
            *(SecretStr(facts.get(name, "")) for name in ("token", "app_token", "basic", *kept)),
        )


def _basic(user: str, token: str) -> str:
    return base64.b64encode(f"{user}:{token}".encode()).decode()


def _in_header(value: str) -> str:
    return value if value.isascii() and value.isprintable() else header_text(value)


def _with_fields(body: JsonValue, place: str, fields: Mapping[str, JsonValue]) -> object:
    """The body with the fields of the receiver over those of the recipe; null takes one away."""
    if not isinstance(body, dict):
        return body
    if place:
        name, _, rest = place.partition(".")
        return {**body, name: _with_fields(body.get(name, {}), rest, fields)}
    return {name: value for name, value in {**body, **fields}.items() if value is not None}


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
