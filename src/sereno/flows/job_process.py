"""The process of one job: asked on stdin, answers on stdout, a JSON document a line.

It ends when stdin closes: then nobody is there any more who would hear the answer.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from sereno.domain.errors import FileUnreadable, SerenoError
from sereno.flows.jobs import job_report_path, told_error

if TYPE_CHECKING:
    from sereno.flows.workspace import Workspace

__all__ = ["KINDS", "main"]

Options = Mapping[str, object]


def main(asked: TextIO, told: TextIO) -> int:
    """Do what is asked for; gives the exit code."""
    request = json.loads(asked.readline())
    threading.Thread(target=_end_with, args=(asked,), daemon=True).start()
    tell = _teller(told)
    try:
        tell("result", _done(request, tell))
    except SerenoError as error:
        tell("error", told_error(error))
        return error.exit_code
    except OSError as error:
        tell(
            "error", told_error(FileUnreadable(file=str(error.filename), detail=error.strerror or str(error)))
        )
        return 1
    return 0


def _done(request: Mapping[str, object], tell: "Callable[[str, Options], None]") -> Options:
    from sereno.flows.workspace import Workspace

    options = request["options"]
    assert isinstance(options, dict)
    with Workspace.open(str(request["folder"]), language=str(request["language"])) as workspace:
        tell("progress", {"step": "begun"})
        return KINDS[str(request["kind"])](workspace, options | {"job": request["job"]})


def _teller(told: TextIO) -> "Callable[[str, Options], None]":
    def tell(what: str, document: Options) -> None:
        told.write(json.dumps({what: document}, default=str) + "\n")
        told.flush()

    return tell


def _end_with(asked: TextIO) -> None:
    while asked.read(1):
        pass
    os._exit(1)


def _train(workspace: "Workspace", options: Options) -> Options:
    cards = workspace.train(
        profile=_text(options, "profile"),
        detector=_text(options, "detector"),
        budget=_number(options, "budget"),
    )
    return {"models": [card.to_json() for card in cards]}


def _score(workspace: "Workspace", _: Options) -> Options:
    report = workspace.score()
    return report.to_json() | {"incidents": len(workspace.incidents())}


def _recalibrate(workspace: "Workspace", options: Options) -> Options:
    results = workspace.recalibrate(profile=_text(options, "profile"))
    return {"recalibrations": [one.to_json() for one in results]}


def _retrain(workspace: "Workspace", options: Options) -> Options:
    return {"steps": [one.to_json() for one in workspace.retrain(is_asked=bool(options.get("asked")))]}


def _segment(workspace: "Workspace", options: Options) -> Options:
    reports = workspace.segment(profile=_text(options, "profile"), is_refit=not options.get("assign"))
    return {"profiles": [report.to_json() for report in reports]}


def _report(workspace: "Workspace", options: Options) -> Options:
    path = job_report_path(workspace.folder, str(options["job"]))
    path.parent.mkdir(exist_ok=True)
    found = workspace.report(str(options["asset"]), path)
    rows = {"rows": len(found.time), "abnormal": int(found.is_abnormal.sum())}
    return {"file": path.name, "asset": found.asset, "model": found.model, **rows}


KINDS: Mapping[str, "Callable[[Workspace, Options], Options]"] = {
    "train": _train,
    "score": _score,
    "recalibrate": _recalibrate,
    "retrain": _retrain,
    "segment": _segment,
    "report": _report,
}
"""What can be asked for, by name."""


def _text(options: Options, name: str) -> str | None:
    value = options.get(name)
    return None if value is None else str(value)


def _number(options: Options, name: str) -> float | None:
    value = options.get(name)
    return None if value is None else float(str(value))


if __name__ == "__main__":
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.exit(main(sys.stdin, answers))
