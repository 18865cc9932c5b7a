"""What people install: whole, and at work in an empty environment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

import pytest

import dev
from sereno.domain.version import VERSION
from tests.architecture import repository
from tests.deploy.files import DEPLOY, dockerfile
from tests.support.processes import ROOT, free_port

BUILD_S, DEMO_S, START_S = 300, 600, 120

if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("the sources are not here", allow_module_level=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=BUILD_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    """The wheel, opened."""
    with zipfile.ZipFile(built / f"sereno-{VERSION}-py3-none-any.whl") as found:
        yield found


def _tracked(folder: str) -> set[str]:
    return {
        name
        for path in repository.files()
        if (name := repository.name(path)).startswith(f"{folder}/") and "/." not in name
    }


def test_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert packed == {name.removeprefix("src/") for name in _tracked("src/sereno")}
    assert "sereno/py.typed" in packed


def test_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    about = f"sereno-{VERSION}.dist-info"
    metadata = HeaderParser().parsestr(wheel.read(f"{about}/METADATA").decode("utf-8"))
    extras = set(repository.settings()["project"]["optional-dependencies"])

    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra") or ()) == extras
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    assert "sereno = sereno.cli:main" in wheel.read(f"{about}/entry_points.txt").decode("utf-8")
    assert {"LICENSE", "NOTICE", "THIRD_PARTY.toml"} <= {
        name.rpartition("/")[2] for name in wheel.namelist() if f"{about}/licenses/" in name
    }


def test_source_archive_can_be_built_and_tested(built: Path) -> None:
    with tarfile.open(built / f"sereno-{VERSION}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for folder in ("src/sereno", "tests", "benchmarks", "docs", "deploy"):
        assert _tracked(folder) <= names
    assert {"pyproject.toml", "constraints.txt", "dev.py", "Makefile", "THIRD_PARTY.toml"} <= names


def _python(version: tuple[int, int]) -> Path:
    """An interpreter of that version, or the test is skipped."""
    name = f"python{dev.text(version)}"
    places = [*os.get_exec_path(), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    if sys.version_info[:2] == version:
        return Path(sys.executable)
    for place in places:
        found = Path(place) / name
        if found.is_file() and dev.starts(found):
            return found
    pytest.skip(f"{name} is not here")


def _empty(folder: Path, python: Path, requirement: str) -> Path:
    """An environment that holds a requirement and what it needs, nothing else; its folder of programs."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SERENO"))}
    uv = shutil.which("uv")
    pins = ["--constraint", str(ROOT / "constraints.txt")]
    if uv:
        steps = [[uv, "venv", "--quiet", "--python", str(python), str(folder)]]
        steps += [
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *pins, requirement]
        ]
    else:
        steps = [[str(python), "-m", "venv", str(folder)]]
        steps += [[str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *pins, requirement]]
    for step in steps:
        done = subprocess.run(step, env=clean, capture_output=True, text=True, check=False, timeout=DEMO_S)
        assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="an environment has its programs elsewhere on Windows")
@pytest.mark.parametrize("version", dev.PYTHONS, ids=dev.text)
def test_wheel_alone_shows_the_demo(built: Path, tmp_path: Path, version: tuple[int, int]) -> None:
    wheel = built / f"sereno-{VERSION}-py3-none-any.whl"
    programs = _empty(tmp_path / "empty", _python(version), str(wheel))

    done = subprocess.run(
        [programs / "sereno", "--lang", "en", "demo", "--no-serve"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_S,
    )

    assert done.returncode == 0, done.stderr
    assert "incidents in the last week. The worst one:" in done.stdout
    assert "Next:" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the image is of Linux")
def test_what_the_image_runs_works_outside_of_it(built: Path, tmp_path: Path) -> None:
    """Its extras, entry point, command and health check, with the port of this test; SIGTERM ends it well."""
    image = dockerfile(DEPLOY / "Dockerfile")
    extras = next(one for one in image["ARG"] if one.startswith("EXTRAS=")).removeprefix("EXTRAS=")
    wheel = built / f"sereno-{VERSION}-py3-none-any.whl"
    programs = _empty(tmp_path / "image", Path(sys.executable), f"{wheel}[{extras}]")
    workspace, port = tmp_path / "workspace", str(free_port())
    workspace.mkdir()
    said = image["HEALTHCHECK"][0].partition("CMD ")[2]
    start, health = (json.loads(text.replace("8420", port)) for text in (image["CMD"][0], said))
    entry = json.loads(image["ENTRYPOINT"][0])
    environment = {"PATH": f"{programs}:{os.defpath}", "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}

    with subprocess.Popen(
        [*entry, *start], cwd=workspace, env=environment, stderr=subprocess.PIPE
    ) as process:
        try:
            code = _until_well(health, environment, process)
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=START_S)
        finally:
            process.kill()

    assert (code, process.returncode) == (0, 0), told
    assert {path.name for path in workspace.iterdir()} >= {"sereno.db"}


def _until_well(health: list[str], environment: dict[str, str], process: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + START_S
    while True:
        code = subprocess.run(health, env=environment, capture_output=True, check=False).returncode
        if code == 0 or process.poll() is not None or time.monotonic() > deadline:
            return code
        time.sleep(0.2)
