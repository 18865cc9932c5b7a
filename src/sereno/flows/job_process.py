"""The process of one job: asked on stdin, answers on stdout, a JSON document a line.

It ends when stdin closes: then nobody is there any more who would hear the answer.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from sereno.domain.errors import FileUnreadable, SerenoError
from sereno.flows.jobs import job_report_path, told_error

if TYPE_CHECKING:
    from sereno.flows.workspace import Workspace

__all__ = ["KINDS", "main"]

Options = Mapping[str, object]
_TOLD_EVERY_S = 1.0


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
        told = _Progress(tell)
        return KINDS[str(request["kind"])](workspace, options | {"job": request["job"]}, told)


def _teller(told: TextIO) -> "Callable[[str, Options], None]":
    def tell(what: str, document: Options) -> None:
        told.write(json.dumps({what: document}, default=str) + "\n")
        told.flush()

    return tell


def _end_with(asked: TextIO) -> None:
    while asked.read(1):
        pass
    os._exit(1)


class _Progress:
    """Says how many of how many are done, not more often than somebody looks."""

    def __init__(self, tell: "Callable[[str, Options], None]") -> None:
        self._tell, self._next_at = tell, 0.0

    def __call__(self, n_done: int, n_all: int) -> None:
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _TOLD_EVERY_S
            self._tell("progress", {"step": "begun", "done": n_done, "of": n_all})


def _train(workspace: "Workspace", options: Options, told: _Progress) -> Options:
    cards = workspace.train(
        profile=_text(options, "profile"),
        detector=_text(options, "detector"),
        budget=_number(options, "budget"),
        before=_instant(options, "before"),
        told=told,
    )
    return {"models": [card.to_json() for card in cards]}


def _score(workspace: "Workspace", _: Options, told: _Progress) -> Options:
    report = workspace.score(told=told)
    return report.to_json() | {"incidents": len(workspace.incidents())}


def _recalibrate(workspace: "Workspace", options: Options, _: _Progress) -> Options:
    results = workspace.recalibrate(profile=_text(options, "profile"))
    return {"recalibrations": [one.to_json() for one in results]}


def _retrain(workspace: "Workspace", options: Options, _: _Progress) -> Options:
    return {"steps": [one.to_json() for one in workspace.retrain(is_asked=bool(options.get("asked")))]}


def _drift(workspace: "Workspace", options: Options, _: _Progress) -> Options:
    from sereno.flows.drifting import DriftRequest

    report = workspace.drift(DriftRequest(profile=_text(options, "profile")))
    n_alarming = sum(one.level.alarms for one in report.assets)
    return {"level": report.level.name, "assets": len(report.assets), "alarming": n_alarming}


def _segment(workspace: "Workspace", options: Options, _: _Progress) -> Options:
    reports = workspace.segment(profile=_text(options, "profile"), is_refit=not options.get("assign"))
    return {"profiles": [report.to_json() for report in reports]}


def _report(workspace: "Workspace", options: Options, _: _Progress) -> Options:
    path = job_report_path(workspace.folder, str(options["job"]))
    path.parent.mkdir(exist_ok=True)
    found = workspace.report(str(options["asset"]), path)
    rows = {"rows": len(found.time), "abnormal": int(found.is_abnormal.sum())}
    return {"file": path.name, "asset": found.asset, "model": found.model, **rows}


def _simulate(workspace: "Workspace", options: Options, _: _Progress) -> Options:
    from sereno.flows.simulating import SimulationPlan, add_simulation, plan_until_now

    rows, kept = options.get("rows"), options.get("max_rows")
    wanted = SimulationPlan(
        str(options["profile"]),
        rows=None if rows is None else int(str(rows)),
        max_rows=None if kept is None else int(str(kept)),
    )
    now = workspace.now()
    found = add_simulation(workspace, plan_until_now(workspace, wanted, now), now)
    facts = {"rows": len(found.world.readings), "ratio": found.ratio, "rows_deleted": found.n_trimmed}
    return {"profile": wanted.profile, "seed": found.seed, "faults": len(found.world.faults), **facts}


def _reset(workspace: "Workspace", options: Options, told: _Progress) -> Options:
    from sereno.flows.simulating import reset_plant

    n_rows = reset_plant(workspace, str(options["name"]))
    made = _simulate(workspace, options, told) if options.get("rows") else {"rows": 0}
    return {"rows_deleted": n_rows, "rows": made["rows"]}


KINDS: Mapping[str, "Callable[[Workspace, Options, _Progress], Options]"] = {
    "train": _train,
    "score": _score,
    "recalibrate": _recalibrate,
    "retrain": _retrain,
    "drift": _drift,
    "segment": _segment,
    "report": _report,
    "simulate": _simulate,
    "reset": _reset,
}
"""What can be asked for, by name."""


def _text(options: Options, name: str) -> str | None:
    value = options.get(name)
    return None if value is None else str(value)


def _instant(options: Options, name: str) -> datetime | None:
    value = options.get(name)
    return None if value is None else datetime.fromisoformat(str(value))


def _number(options: Options, name: str) -> float | None:
    value = options.get(name)
    return None if value is None else float(str(value))


if __name__ == "__main__":
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.exit(main(sys.stdin, answers))
