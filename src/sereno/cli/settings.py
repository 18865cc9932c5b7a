"""`sereno config`: what is in force, where it comes from, what can be set."""

from typing import Annotated

import typer

from sereno.cli.output import Request, say, show_json, show_table

__all__ = ["config_app"]

config_app = typer.Typer(
    help="Settings: check, explain, schema.", no_args_is_help=True, rich_markup_mode=None
)


@config_app.command("check")
def check_settings(context: typer.Context) -> None:
    """Validate sereno.yaml and show each value in force with its origin."""
    from sereno.flows.build import open_setup

    request: Request = context.obj
    setup = open_setup(request.workspace, language=request.language)
    rows = [{"key": k, "value": _plain(v), "origin": o} for k, v, o in setup.loaded.effective()]
    if request.as_json:
        show_json({"ok": True, "settings": rows})
    else:
        show_table(rows, ["key", "value", "origin"])


@config_app.command("explain")
def explain_settings(
    context: typer.Context,
    key: Annotated[str | None, typer.Argument(help="Only keys that begin like this.")] = None,
) -> None:
    """Say what each setting means, its unit and its default."""
    from sereno.settings.reading import describe_settings

    request: Request = context.obj
    names = ("key", "type", "default", "description")
    rows = [dict(zip(names, row, strict=True)) for row in describe_settings() if row[0].startswith(key or "")]
    if request.as_json:
        show_json({"settings": rows})
        return
    for row in rows:
        say(f"{row['key']}  ({row['type']}, {row['default'] or '–'})\n    {row['description']}")


@config_app.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of sereno.yaml, for editors."""
    from sereno.settings.tree import Settings

    show_json(Settings.model_json_schema())


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
