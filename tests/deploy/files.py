"""The files of `deploy/` as data, and the programs that can check them."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.processes import ROOT

__all__ = ["CHART", "DEPLOY", "PAGES", "ROOT", "containers", "dockerfile", "manifests", "rendered", "tool"]

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "sereno"
PAGES = ROOT / "docs" / "deploy"
RENDERER = Path(__file__).parent / "render" / "main.go"


def dockerfile(path: Path) -> dict[str, list[str]]:
    """What each instruction says, in its order; lines that go on are joined."""
    lines = re.sub(r"^#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in filter(str.strip, lines.splitlines()):
        name, _, said = line.partition(" ")
        found.setdefault(name, []).append(" ".join(said.split()))
    return found


def manifests(path: Path) -> list[dict[str, Any]]:
    """The objects of a file for Kubernetes."""
    return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]


def containers(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The containers of all pods."""
    for one in objects:
        if one["kind"] == "Deployment":
            yield from one["spec"]["template"]["spec"]["containers"]


def rendered(mode: str, **changes: Any) -> list[dict[str, Any]]:
    """The objects of the chart, by Helm or by the template engine that it is built on."""
    helm, go = shutil.which("helm"), shutil.which("go")
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8")) | {"mode": mode} | changes
    said = json.dumps(values)
    if helm:
        command = [helm, "template", "sereno", str(CHART), "--values", "-"]
    elif go:
        command = [go, "run", str(RENDERER), str(CHART), "sereno"]
    else:
        pytest.skip("neither helm nor go is here")
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def tool(name: str, *, extra: str = "deploy") -> str:
    """A program that is beside this Python or on the path; its test is skipped where it is not."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here (pip install '.[{extra}]')")
    return found
