"""The pages about how behaviour and physics are judged name all that there is."""

import re
from pathlib import Path

import pytest
import yaml

import sereno
from sereno.detect.registry import detector_names
from sereno.detect.rules import METHODS
from sereno.domain.judgement import Claim
from tests.support.processes import ROOT

DOCS = ROOT / "docs"
CAUSE = re.compile(r"(physics\.\w+)\.sentence")
GENERAL = {"physics.balance", "physics.identity"}
"""Sentences that speak of any balance, by whatever name it is declared."""

if not DOCS.is_dir():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


@pytest.mark.parametrize("page", ["detection.md", "es/deteccion.md"])
def test_every_detector_and_rule_is_described(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")

    assert {name for name in detector_names() if f"| `{name}` |" not in text} == set()
    assert {name for name in METHODS if name not in text} == set()


@pytest.mark.parametrize("page", ["calibration.md", "es/calibracion.md"])
def test_every_claim_and_rule_is_explained(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")

    assert {one.value for one in Claim if f"| `{one.value}` |" not in text} == set()
    assert {name for name in METHODS if name not in text} == set()


@pytest.mark.parametrize("page", ["physics.md", "es/fisica.md"])
def test_every_check_of_physics_is_described(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    catalogue = Path(sereno.__file__).parent / "i18n" / "sentences.yaml"
    known = {
        found[1] for key in yaml.safe_load(catalogue.read_text("utf-8")) if (found := CAUSE.fullmatch(key))
    }

    assert len(known) > 5
    assert {name for name in known if f"`{name}`" not in text} - GENERAL == set()
