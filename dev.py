"""Set up a development environment and use it: `python dev.py COMMAND [arguments]`, see COMMANDS.

Standard library only, on Linux, macOS and Windows. The first call makes `.venv` beside this file and installs
the versions of constraints.txt; later calls find a stamp in it and start at once. SERENO_VENV names another
folder for the environment. Extra arguments go to the demo or to pytest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
EXTRAS = "dev,postgres,boost,deep,speed,opcua,modbus,dask"
PYTHONS = ((3, 11), (3, 12), (3, 13))
STAMP = "sereno-stamp"
APT_TRIED = "sereno-apt-tried"
APT_TIMEOUT_SECONDS = 600
SHARED_CORES = ("--numprocesses=2", "--dist=loadfile")  # a file's tests share what they set up
SIGNAL_EXIT = 128
INTERRUPTED = 130


class SetupFailed(Exception):
    """The environment cannot be made; the message says what to do, `code` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code or 1


def main(arguments: list[str]) -> int:
    """Run one command; its exit code is the result."""
    if not arguments or arguments[0] not in COMMANDS:
        say(f"usage: python dev.py {'|'.join(COMMANDS)} [arguments]")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    command, extra = COMMANDS[arguments[0]], arguments[1:]
    try:
        return command(environment(is_newest=command is newest), extra)
    except SetupFailed as failure:
        say(str(failure))
        return failure.code
    except KeyboardInterrupt:
        return INTERRUPTED


def demo(venv: Path, extra: list[str]) -> int:
    """The product on its bundled worlds."""
    return call([str(program(venv, "sereno")), "demo", *extra])


def test(venv: Path, extra: list[str]) -> int:
    """The tests that CI runs; what is missing on this machine is installed when that is allowed."""
    offer_servers(venv)
    return call([str(program(venv, "python")), "-m", "pytest", *SHARED_CORES, *extra])


def check(venv: Path, extra: list[str]) -> int:
    """Format, lint, types, layers, then the tests with branch coverage: all of them, even after a failure."""
    offer_servers(venv)
    python = str(program(venv, "python"))
    steps = {
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "ruff check": [python, "-m", "ruff", "check", "."],
        "mypy --strict": [python, "-m", "mypy", "--strict"],
        "lint-imports": [str(program(venv, "lint-imports")), "--no-logo"],
        "pytest": [python, "-m", "pytest", "--cov", "--cov-branch", "--cov-report=term-missing", *extra],
    }
    codes = {name: call(step, heading=name) for name, step in steps.items()}
    failed = [name for name, code in codes.items() if code]
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return next((code for code in codes.values() if code), 0)


def newest(venv: Path, extra: list[str]) -> int:
    """The tests with the newest versions that pyproject.toml admits, in an environment of their own."""
    return test(venv, extra)


def sbom(venv: Path, extra: list[str]) -> int:
    """The bill of materials (CycloneDX) of what is installed, to a file or to stdout."""
    return call([str(program(venv, "python")), str(ROOT / "deploy" / "sbom.py"), *extra])


def reference(venv: Path, extra: list[str]) -> int:
    """Write the pages of docs/reference anew, of what the code says."""
    return call([str(program(venv, "python")), "-m", "tests.manual.reference", *extra])


COMMANDS = {
    "demo": demo,
    "test": test,
    "check": check,
    "newest": newest,
    "sbom": sbom,
    "reference": reference,
}


def environment(*, is_newest: bool = False) -> Path:
    """The folder of a virtual environment that holds sereno with the pinned versions.

    Args:
        is_newest: With the newest ones instead, in a folder of its own, made anew each time.
    """
    venv = Path(os.environ.get("SERENO_VENV") or ROOT / ".venv").resolve()
    if is_newest:
        venv = venv.with_name(f"{venv.name}-newest")
        (venv / STAMP).unlink(missing_ok=True)
    if is_current(venv):
        return venv
    started = time.monotonic()
    say(f"setting up {venv} (once; later calls start at once)")
    (venv / STAMP).unlink(missing_ok=True)
    uv = shutil.which("uv")
    if not (uv and set_up_with_uv(uv, venv, is_newest=is_newest)):
        set_up_with_pip(venv, is_newest=is_newest)
    (venv / STAMP).write_text(fingerprint(venv), encoding="utf-8")
    say(f"ready in {time.monotonic() - started:.0f} s")
    return venv


def set_up_with_uv(uv: str, venv: Path, *, is_newest: bool = False) -> bool:
    """Whether uv made the environment; when it cannot, pip tries."""
    python = interpreter()
    wanted = str(python) if python else f">={text(PYTHONS[0])},<={text(PYTHONS[-1])}"
    discard_unusable(venv)
    if not has_python(venv) and run_quietly([uv, "venv", "--quiet", "--python", wanted, str(venv)]):
        return False
    target = ["--python", str(program(venv, "python"))]
    pins = ["--constraint", "constraints.txt", "--build-constraint", "constraints.txt"]
    pins = ["--upgrade"] if is_newest else pins
    code = run_quietly([uv, "pip", "install", "--quiet", *target, *pins, "--editable", f".[{EXTRAS}]"])
    if code:
        say("uv could not install; trying pip")
    return code == 0


def set_up_with_pip(venv: Path, *, is_newest: bool = False) -> None:
    """Make the environment with `venv` and fill it with pip, or say what is missing."""
    python = interpreter()
    if python is None:
        raise SetupFailed(
            f"sereno needs Python {text(PYTHONS[0])} to {text(PYTHONS[-1])}; this is "
            f"{sys.version.split()[0]} and no other was found. Install one of them, or uv."
        )
    discard_unusable(venv)
    if not has_pip(venv):
        make_venv(python, venv)
    pins = {"PIP_CONSTRAINT": "constraints.txt", "PIP_BUILD_CONSTRAINT": "constraints.txt"}
    pins = {"PIP_UPGRADE": "1", "PIP_UPGRADE_STRATEGY": "eager"} if is_newest else pins
    install = [str(program(venv, "python")), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    code = call([*install, "--editable", f".[{EXTRAS}]"], extra_environment=pins)
    if code:
        raise SetupFailed("the packages could not be installed: see pip's message above", code)


def make_venv(python: Path, venv: Path) -> None:
    """A virtual environment with pip; Debian splits the part that does this from Python."""
    made = subprocess.run(
        [str(python), "-m", "venv", str(venv)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if made.returncode == 0:
        return
    if "ensurepip" in made.stdout + made.stderr or "No module named venv" in made.stderr:
        raise SetupFailed(
            f"{python} cannot make virtual environments: its 'venv' part is missing. On Debian or Ubuntu: "
            "apt-get install python3-venv (or install uv). Then repeat.",
            made.returncode,
        )
    raise SetupFailed(
        f"{venv} could not be made: {(made.stderr or made.stdout).strip().splitlines()[-1:]}", made.returncode
    )


def interpreter() -> Path | None:
    """A supported Python: this one, else one found on PATH."""
    if sys.version_info[:2] in PYTHONS:
        return Path(sys.executable)
    found = (shutil.which(f"python{text(version)}") for version in reversed(PYTHONS))
    return next((Path(path) for path in found if path and starts(Path(path))), None)


def discard_unusable(venv: Path) -> None:
    """Remove what an interrupted set-up or a removed Python left; never a folder that is no environment."""
    if not venv.exists() or has_python(venv):
        return
    if not (venv / "pyvenv.cfg").exists() and any(venv.iterdir()):
        raise SetupFailed(f"{venv} exists and is no virtual environment. Move it away, or set SERENO_VENV.")
    shutil.rmtree(venv)


def has_python(venv: Path) -> bool:
    """Whether the environment's interpreter starts."""
    return program(venv, "python").exists() and starts(program(venv, "python"))


def has_pip(venv: Path) -> bool:
    """Whether the environment can install into itself."""
    return has_python(venv) and succeeds([str(program(venv, "python")), "-m", "pip", "--version"])


def starts(python: Path) -> bool:
    """Whether `python` runs and is a version that sereno supports."""
    versions = ", ".join(str(version) for version in PYTHONS)
    question = f"import sys; sys.exit(sys.version_info[:2] not in [{versions}])"
    return succeeds([str(python), "-c", question])


def succeeds(command: list[str]) -> bool:
    """Whether a command runs and is content; nothing is shown."""
    try:
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def is_current(venv: Path) -> bool:
    """Whether the stamp says that this environment was made from the present files."""
    stamp = venv / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint(venv)


def fingerprint(venv: Path) -> str:
    """What the environment depends on: both files, the extras, its Python, and where the two folders are."""
    files = (ROOT / "pyproject.toml", ROOT / "constraints.txt", venv / "pyvenv.cfg")
    parts = [path.read_bytes() if path.exists() else b"" for path in files]
    return hashlib.sha256(
        b"\0".join([*parts, EXTRAS.encode(), str(ROOT).encode(), str(venv).encode()])
    ).hexdigest()


def program(venv: Path, name: str) -> Path:
    """Where the environment keeps a command."""
    return venv / "Scripts" / f"{name}.exe" if os.name == "nt" else venv / "bin" / name


def offer_servers(venv: Path) -> None:
    """Install the servers and the browser of the tests when this user may; tried once per environment."""
    wanted = missing_packages()
    if not wanted or (venv / APT_TRIED).exists():
        return
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    (venv / APT_TRIED).touch()
    say(f"installing {', '.join(wanted)} for the tests (apt-get)")
    steps = ([apt, "update", "-qq"], [apt, "install", "-y", "-qq", "--no-install-recommends", *wanted])
    environment_for_apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for step in steps:
            subprocess.run(
                step, env=environment_for_apt, check=False, capture_output=True, timeout=APT_TIMEOUT_SECONDS
            )
    except subprocess.TimeoutExpired:
        say(f"apt-get takes too long; going on without {', '.join(missing_packages())}")


def missing_packages() -> list[str]:
    """Debian packages whose programs the tests start and this machine lacks."""
    sbin = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    there = {
        "postgresql": os.environ.get("DATABASE_URL") or has_postgres(),
        "mosquitto": shutil.which("mosquitto", path=sbin),
        "chromium": shutil.which("chromium") or shutil.which("google-chrome"),
    }
    return [package for package, found in there.items() if not found]


def has_postgres() -> bool:
    """Whether this machine has PostgreSQL's server programs."""
    debian = Path("/usr/lib/postgresql")
    return bool(shutil.which("initdb") or any(debian.glob("*/bin/initdb")))


def call(
    command: list[str], *, heading: str | None = None, extra_environment: dict[str, str] | None = None
) -> int:
    """Run a command in the repository with our terminal; its exit code."""
    if heading:
        say(heading)
    try:
        code = subprocess.run(
            command, cwd=ROOT, check=False, env={**os.environ, **(extra_environment or {})}
        ).returncode
    except FileNotFoundError:
        say(f"{command[0]} is missing: remove the environment and repeat")
        return 1
    return code if code >= 0 else SIGNAL_EXIT - code


def run_quietly(command: list[str]) -> int:
    """Run a command without showing it; its last line is said only when it fails."""
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode and done.stderr.strip():
        say(done.stderr.strip().splitlines()[-1])
    return done.returncode


def say(message: str) -> None:
    """One line on stderr, so that stdout belongs to the command."""
    print(f"dev.py: {message}", file=sys.stderr, flush=True)


def text(version: tuple[int, int]) -> str:
    """(3, 11) as 3.11."""
    return ".".join(map(str, version))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
