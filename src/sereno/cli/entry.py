"""Where the command line begins and ends: common options, exit codes, and no traceback for anybody."""

import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typer import BadParameter, Typer

    from sereno.domain.audit import Act

__all__ = ["hoist_common_options", "main"]

_WITH_VALUE = ("--workspace", "--organization", "--lang")
_FLAGS = ("--json", "--debug", "--quiet")
_EXIT_FAULT = 70
_EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see DESIGN §5 for what each means)."""
    given = hoist_common_options(list(sys.argv[1:] if arguments is None else arguments))
    from typer import Abort, BadParameter

    from sereno.domain.audit import acting
    from sereno.domain.failpoints import arm_from

    arm_from(os.environ)
    from sereno.cli.app import app  # after the arguments: an import costs more than parsing them

    try:
        with acting(_act_of(given)):
            code = _run(app, given)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except (KeyboardInterrupt, Abort):
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has gone: nothing to say and nobody to say it to
        return 0
    except cast("type[BadParameter]", BadParameter.__base__) as error:  # all that the parser refuses
        return _explain_usage(error, given)
    except Exception as error:  # the outermost door: a person is told in a sentence, and gets an exit code
        if "--debug" in given:
            raise
        return _explain(error, given)
    return code if isinstance(code, int) else 0


def hoist_common_options(arguments: list[str]) -> list[str]:
    """The arguments with `--workspace`, `--lang` and the common flags moved before the command."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front, rest, position = [], [], 0
    while position < end:
        word = arguments[position]
        if word in _WITH_VALUE and position + 1 < end:
            front += arguments[position : position + 2]
            position += 1
        elif word in _FLAGS or word.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            front.append(word)
        else:
            rest.append(word)
        position += 1
    return [*front, *rest, *arguments[end:]]


def _run(app: "Typer", given: Sequence[str]) -> object:
    """Run a command; its help is said in the language of the reader."""
    from typer.main import get_command

    command, language = get_command(app), _language(given)
    if language == "en" or not _may_help(given):
        return command(list(given), prog_name="sereno", standalone_mode=False)
    from sereno.cli.helping import frame, translate

    translate(command, language)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            return command(list(given), prog_name="sereno", standalone_mode=False)
    finally:
        sys.stdout.write(frame(said.getvalue(), language))


def _may_help(given: Sequence[str]) -> bool:
    """Whether nothing but help can be the answer: it is asked for, or there is no command at all."""
    return "--help" in given or not given


def _language(given: Sequence[str]) -> str:
    from sereno.i18n.catalogue import LANGUAGES, machine_language

    asked = _option(given, "--lang")
    return asked if asked in LANGUAGES else machine_language()


def _act_of(given: Sequence[str]) -> "Act":
    """What the command writes is noted as what the user of this machine does."""
    import getpass

    from sereno.domain.audit import Act, Door

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no name for this number: a container, or a system without
        user = str(os.getuid()) if hasattr(os, "getuid") else "?"
    words = [word for word in given if word not in _FLAGS]
    return Act(user, "local", Door.CLI, "", "", {"words": words})


def _explain_usage(error: "BadParameter", given: Sequence[str]) -> int:
    from sereno.cli.helping import frame

    said = io.StringIO()
    error.show(file=said)
    sys.stderr.write(frame(said.getvalue(), _language(given)))
    if "--json" in given:
        _show_error("usage", error.format_message(), {})
    return error.exit_code


def _explain(error: Exception, given: Sequence[str]) -> int:
    """One clear sentence on stderr, and the same as JSON on stdout where that was asked for."""
    from sereno.domain.errors import DiskFull, SerenoError, SystemRefused
    from sereno.i18n.catalogue import error_sentence, sentence

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        error = DiskFull(store=str(error.filename or "workspace"))
    elif isinstance(error, OSError):
        error = SystemRefused(file=str(error.filename or "?"), detail=error.strerror or str(error))
    language = _language(given)
    if isinstance(error, SerenoError):
        code, text, exit_code = error.code, error_sentence(error, language), error.exit_code
        facts = dict(error.facts)
    else:
        code, exit_code, facts = "internal", _EXIT_FAULT, {}
        text = sentence("internal.fault", language, detail=f"{type(error).__name__}: {error}")
    if "--json" in given:
        _show_error(code, text, facts)
    sys.stderr.write(f"sereno: {text}\n")
    return exit_code


def _show_error(code: str, text: str, facts: Mapping[str, object]) -> None:
    document = {"error": {"code": code, "message": text, "facts": facts}}
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def _option(given: Sequence[str], name: str) -> str | None:
    return given[given.index(name) + 1] if name in given else None
