"""The set-up script: when it works again, what it refuses, what it says."""

import os
from pathlib import Path

import pytest

import dev


def test_environment_is_current_until_a_file_changes(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("version = 3.11.7\n")
    (tmp_path / dev.STAMP).write_text(dev.fingerprint(tmp_path))
    before = dev.is_current(tmp_path)

    (tmp_path / "pyvenv.cfg").write_text("version = 3.12.1\n")

    assert (before, dev.is_current(tmp_path)) == (True, False)


def test_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")

    with pytest.raises(dev.SetupFailed, match="no virtual environment"):
        dev.discard_unusable(tmp_path)

    assert (tmp_path / "thesis.txt").exists()


def test_broken_environment_is_removed(tmp_path: Path) -> None:
    broken = tmp_path / "venv"
    broken.mkdir()
    (broken / "pyvenv.cfg").touch()

    dev.discard_unusable(broken)

    assert not broken.exists()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")
def test_missing_ensurepip_says_what_to_install(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho 'created because ensurepip is not available'\nexit 1\n")
    python.chmod(0o755)

    with pytest.raises(dev.SetupFailed, match="apt-get install python3-venv"):
        dev.make_venv(python, tmp_path / "venv")


def test_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code = dev.main(["frobnicate"])

    assert code == 2
    assert "demo|test|check" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a shell script")
@pytest.mark.parametrize("is_newest", [False, True])
def test_only_the_newest_versions_are_installed_without_pins(tmp_path: Path, *, is_newest: bool) -> None:
    uv, told = tmp_path / "uv", tmp_path / "told"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    uv.chmod(0o755)

    assert dev.set_up_with_uv(str(uv), tmp_path / "venv", is_newest=is_newest)

    installing = told.read_text().splitlines()[-1]
    assert installing.endswith(f".[{dev.EXTRAS}]")
    assert ("constraints.txt" in installing, "--upgrade" in installing) == (not is_newest, is_newest)
