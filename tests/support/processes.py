"""sereno in processes of its own: the command line as people run it, and work that is killed midway."""

import ctypes
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "ROOT",
    "Ran",
    "environment",
    "free_port",
    "killed_after",
    "run_code",
    "sereno",
    "start_sereno",
    "wait_until",
    "without_privileges",
]

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120.0
# linux/capability.h
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0x20080522, 1, 2
_FORKS = multiprocessing.get_context("forkserver")
# A child then starts in milliseconds, so that kills land in the work and not in imports.
_FORKS.set_forkserver_preload(
    [
        *("sereno.cli.app", "sereno.cli.judged", "sereno.cli.showing", "sereno.cli.simulating"),
        *(
            "sereno.cli.watching",
            "sklearn.ensemble",
            "sklearn.decomposition",
            "alembic.command",
            "rich.console",
        ),
    ]
)


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed: one strict document, nothing beside it."""
        return json.loads(self.out, parse_constant=_refuse)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a `--json` document."""
        return self.document["error"]


def environment(**changes: str) -> dict[str, str]:
    """A quiet environment: English, no settings of the machine, our sources."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SERENO__", "LC_", "PG")) and name not in {"DATABASE_URL", "LANG", "LANGUAGE"}
    }
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "LANG": "en_US.UTF-8", **changes}


def sereno(
    *arguments: object,
    workspace: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    before: Callable[[], None] | None = None,
) -> Ran:
    """Run one command to its end, in a process of its own that has its imports behind it.

    Args:
        before: Called in that process first.
    """
    place = cwd or _nowhere(workspace) or Path.cwd()
    words = _words(workspace, arguments)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _FORKS.Process(
            target=_be_sereno, args=(words, dict(env or environment()), place, out, err, before)
        )
        process.start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
        assert process.exitcode is not None
        ran = Ran(process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))
    assert "Traceback" not in ran.err, ran.err
    return ran


def _be_sereno(
    words: list[str],
    env: dict[str, str],
    place: Path,
    out: Path,
    err: Path,
    before: Callable[[], None] | None,
) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(place)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, not a path
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    if before is not None:
        before()
    from sereno.cli import main

    code = main(words)
    sys.stdout.flush()
    sys.exit(code)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def start_sereno(
    *arguments: object, workspace: Path, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a command that goes on until somebody stops it."""
    return subprocess.Popen(
        [sys.executable, "-m", "sereno", *_words(workspace, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=dict(env or environment()),
        cwd=_nowhere(workspace),
    )


def run_code(
    code: str, *arguments: object, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT_S
) -> Ran:
    """Run a few lines of Python in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=dict(env or environment()),
        timeout=timeout,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def killed_after(seconds: float | None, work: Callable[..., None], *arguments: object) -> tuple[int, float]:
    """Run `work` in a process and kill -9 it after so many seconds; to its end without.

    Returns:
        Exit code (−9 when it was killed) and how long it ran [s].
    """
    process = _FORKS.Process(target=work, args=arguments, daemon=True)
    process.start()
    began = time.monotonic()
    process.join(TIMEOUT_S if seconds is None else seconds)
    if process.exitcode is None:
        process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode, time.monotonic() - began


def without_privileges() -> dict[str, Any]:
    """Options for `sereno` that make file permissions count, also for root."""
    if os.geteuid() != 0:
        return {}
    if not sys.platform.startswith("linux"):
        import pytest  # not above: every process that is started imports this module

        pytest.skip("root cannot be denied a file here")
    return {"before": _drop_file_privileges}


def _drop_file_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    libc.capget(header, data)
    data[0] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    assert libc.capset(header, data) == 0, os.strerror(ctypes.get_errno())


def wait_until(is_so: Callable[[], bool], *, timeout: float = 30.0) -> None:
    """Return as soon as it is so.

    Raises:
        AssertionError: It never was.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if is_so():
                return
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout} s")


def _words(workspace: Path | None, arguments: Sequence[object]) -> list[str]:
    place = [] if workspace is None else ["--workspace", str(workspace)]
    return [*place, *map(str, arguments)]


def _nowhere(workspace: Path | None) -> Path | None:
    """A current folder without a `.env` of somebody else in it."""
    return workspace.parent if workspace is not None and workspace.parent.is_dir() else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
