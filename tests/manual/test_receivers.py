"""The pages about receivers: their examples build, sign and run, and no kind or option is left out."""

import base64
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from sereno.contracts.notification import Outcome
from sereno.notify.facts import FACTS
from sereno.notify.options import Place
from sereno.notify.recipe import load_recipe, recipe_names
from sereno.notify.registry import build_sender, sender_kinds
from sereno.notify.webhook import signatures
from tests.notify.messages import a_message
from tests.support.processes import ROOT
from tests.support.third_party import declared

PAGES = [ROOT / "docs" / "receivers.md", ROOT / "docs" / "es" / "receptores.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ENVIRONMENT = {
    "SERENO_HOOK_SECRET": SECRET,
    "SERENO_HOOK_TOKEN": "Bearer abc",
    "TELEGRAM_URL": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    **dict.fromkeys(["JIRA_TOKEN", "SNOW_PASSWORD", "GLPI_USER", "GLPI_APP"], "t0ken"),
}

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def blocks(kind: str, page: Path = PAGES[0]) -> list[str]:
    return [text for name, text in FENCE.findall(page.read_text("utf-8")) if name == kind]


def receivers() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for text in blocks("yaml"):
        found |= yaml.safe_load(text)["receivers"]
    return found


def test_pages_show_the_same_code_under_as_many_headings() -> None:
    english, spanish = (page.read_text("utf-8") for page in PAGES)

    assert FENCE.findall(english) == FENCE.findall(spanish)
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", spanish, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(receivers()))
def test_example_builds(name: str, tmp_path: Path) -> None:
    (tmp_path / "secretos").mkdir()
    (tmp_path / "secretos" / "smtp.txt").write_text("s3cr3t\n", "utf-8")
    said = receivers()[name]

    sender = build_sender(name, said["kind"], said["options"], place=Place(tmp_path, ENVIRONMENT))

    assert "s3cr3t" not in repr(sender)
    assert "t0ken" not in repr(sender)


def test_every_kind_recipe_and_fact_is_on_the_pages() -> None:
    kinds = {said["kind"] for said in receivers().values()}

    assert kinds == set(sender_kinds())
    for page in PAGES:
        text = page.read_text("utf-8")
        assert not {name for name in (*recipe_names(), *FACTS) if f"`{name}`" not in text}


def test_verification_that_is_shown_tells_genuine_from_forged() -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[0], names)
    stamp, body = str(int(time.time())), '{"type":"prueba ñ"}'.encode()
    signed = signatures([SecretStr(SECRET)], "clave:1", stamp, body)
    headers = {"webhook-id": "clave:1", "webhook-timestamp": stamp, "webhook-signature": signed}

    assert names["is_genuine"](SECRET, headers, body)
    assert not names["is_genuine"](SECRET, headers, body + b" ")
    assert not names["is_genuine"](SECRET, headers | {"webhook-timestamp": str(int(stamp) - 3_600)}, body)


def test_recipe_that_is_shown_is_sound(tmp_path: Path) -> None:
    (tmp_path / "mi_sistema.yaml").write_text(blocks('yaml title="mi_sistema.yaml"')[0], "utf-8")

    recipe = load_recipe("mi_sistema.yaml", tmp_path)

    assert [step.method for step in recipe.steps] == ["GET", "POST"]
    assert recipe.names() <= {*FACTS, "queue", "level", "token"}


def test_plug_in_that_is_shown_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "siren.py").write_text(blocks('python title="siren.py"')[0], "utf-8")
    line = tmp_path / "line"

    with declared(tmp_path, monkeypatch, "sereno.senders", siren="siren:Siren"):
        answer = build_sender("sirena", "siren", {"port": str(line)}).send(a_message(key="k:1"))

    assert (answer.outcome, line.read_text("utf-8")) == (Outcome.ACCEPTED, "k:1 5\n")
    assert 'siren = "siren:Siren"' in blocks("toml")[0]
