"""What the command line shows of a version, a comparison, and a training that was done again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from sereno.cli.output import say, show_table

if TYPE_CHECKING:
    from sereno.flows.reproducing import Reproduction

__all__ = ["show_comparison", "show_reproductions", "show_sheet"]

_RUN = ("threads", "model", "predictions")
_SHOWN_CHARACTERS = 16


def show_sheet(sheet: Mapping[str, object], language: str) -> None:
    """The card of a version, in paragraphs."""
    from sereno.i18n.catalogue import sentence

    state = sentence(f"cli.models.state.{sheet['state']}", language)
    say(f"{sheet['id']}: {state}")
    for part in ("lineage", "figures"):
        say(sentence(f"cli.sheet.{part}", language))
        for name, value in cast("Mapping[str, object]", sheet[part]).items():
            say(f"  {name}: {_figure(value, language)}")
    comparison = cast("Mapping[str, object] | None", sheet["comparison"])
    if comparison is not None:
        show_comparison(comparison, language)
    shadow = cast("Mapping[str, object]", sheet["shadow"])
    if shadow["n_rows"]:
        say(sentence("cli.sheet.shadow", language))
        for name, value in shadow.items():
            if value is not None:
                say(f"  {name}: {_figure(value, language)}")


def show_model_card(card: Mapping[str, object], language: str) -> None:
    """What training said of a version: a line per fact, a paragraph for facts that have facts."""
    from sereno.i18n.catalogue import sentence

    for name, value in card.items():
        heading = sentence(f"cli.card.{name}", language)
        if not isinstance(value, Mapping):
            say(f"{heading}: {_figure(value, language)}")
            continue
        say(f"{heading}:")
        for part, fact in value.items():
            say(f"  {part}: {_figure(fact, language)}")


def show_comparison(found: Mapping[str, object], language: str) -> None:
    """A comparison in one sentence."""
    from sereno.i18n.catalogue import sentence
    from sereno.i18n.numbers import number

    def figure(name: str) -> str:
        value = found[name]
        return "–" if value is None else number(float(str(value)), language)

    say(
        sentence(
            "cli.models.compared",
            language,
            challenger=found["challenger"],
            champion=found["champion"],
            opinion=sentence(f"cli.models.opinion.{found['opinion']}", language),
            days=found["n_days"],
            assets=found["n_assets"],
            difference=figure("difference"),
            low=figure("low"),
            high=figure("high"),
        )
    )


def show_reproductions(found: "Sequence[Reproduction]", language: str) -> None:
    """Of each training what either process gave, and the verdict."""
    from sereno.i18n.catalogue import sentence

    for one in found:
        rows = [{name: str(run[name])[:_SHOWN_CHARACTERS] for name in _RUN} for run in one.runs]
        show_table(rows, _RUN, [sentence(f"cli.reproduce.{name}", language) for name in _RUN])
        say(f"{one.model}: {sentence(f'cli.reproduce.{one.verdict.value}', language)}")


def _figure(value: object, language: str) -> str:
    from sereno.i18n.numbers import number

    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "–"
    return number(value, language) if isinstance(value, float) else str(value)
