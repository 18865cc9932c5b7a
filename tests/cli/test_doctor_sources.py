"""`sereno doctor` says how each source is doing, and nothing by which it is entered."""

import json
from pathlib import Path

from sereno.contracts.source import Item
from sereno.domain.time import system_clock
from sereno.flows.workspace import Workspace
from tests.support.processes import sereno

SETTINGS = """\
timezone: Europe/Madrid
sources:
  entrada: {kind: folder, path: entrada}
  falta: {kind: folder, path: no_existe}
  base: {kind: mqtt, host: 127.0.0.1, port: 9, user: ana, password: "gu4rdado", topics: ["a/{asset}"]}
"""


def test_doctor_lists_sources_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "entrada").mkdir()
    (tmp_path / "sereno.yaml").write_text(SETTINGS, "utf-8")
    with Workspace.open(tmp_path) as workspace, workspace.store.begin() as tx:
        tx.add_items("base", [Item("1", b"{}")], at=system_clock())
        item = tx.waiting_items("base", limit=1)[0]
        tx.note_attempt("base", item.id)
        tx.save_source_state("base", heard_at=system_clock())

    done = sereno("doctor", "--json", workspace=tmp_path)
    listed = sereno("sources", "list", "--json", workspace=tmp_path).document

    text = json.dumps(done.document, ensure_ascii=False)
    found = {name: part for name in ("entrada", "falta", "base") for part in [_of(done.document, name)]}
    assert found["entrada"]["ok"] is True
    assert (found["falta"]["ok"], found["base"]["ok"]) == (False, False)
    assert "does not answer now" in str(found["base"]["value"])
    assert "1 waiting" in str(found["base"]["value"])
    assert "1 failing, up to 1 time" in str(found["base"]["value"])
    assert "gu4rdado" not in text
    assert [(one["failing"], one["tries"]) for one in listed if one["name"] == "base"] == [(1, 1)]


def _of(document: object, name: str) -> dict[str, object]:
    """The finding about a source, wherever the document has it."""
    if isinstance(document, dict):
        if document.get("name") == f"source {name}":
            return document
        document = list(document.values())
    if isinstance(document, list):
        for one in document:
            found = _of(one, name)
            if found:
                return found
    return {}
