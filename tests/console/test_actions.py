"""What people do to an incident: with a script in place, and without one by plain forms."""

import pytest
from playwright.sync_api import Browser, Page

from sereno.domain.incidents import HumanState, Verdict
from sereno.flows.pulse import pulse_of
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace
from tests.console.browsing import Look, Watched, looked_at
from tests.console.world import FAILED

SCRIPTLESS = Look(has_script=False)


def _incident(workspace: Workspace) -> str:
    return next(one.incident.id for one in workspace.incidents() if one.incident.asset == FAILED)


def _opened(watched: Watched, address: str, service: Service) -> tuple[Page, Workspace, str]:
    workspace = service.workspace("default")
    found = _incident(workspace)
    watched.page.goto(f"{address}/console/incidents/{found}")
    return watched.page, workspace, found


def test_acknowledging_by_key_is_seen_at_once_and_can_be_undone(
    own: tuple[str, Service], browser: Browser
) -> None:
    with looked_at(browser, own[0]) as watched:
        page, workspace, name = _opened(watched, *own)
        page.keyboard.press("a")
        page.get_by_text("Reconocida.").wait_for()
        after = workspace.incident(name).incident
        page.get_by_role("button", name="Deshacer").click()
        page.get_by_text("Reconocimiento retirado.").wait_for()

        assert (after.state, after.owner) == (HumanState.ACKNOWLEDGED, "local")
        assert workspace.incident(name).incident.state is HumanState.NEW
        assert watched.complaints == []


def test_comment_stands_in_the_history_with_its_author_as_it_was_written(
    own: tuple[str, Service], browser: Browser
) -> None:
    said = "<img src=x onerror=alert(1)> fusible & inversor"
    with looked_at(browser, own[0]) as watched:
        page, workspace, name = _opened(watched, *own)
        page.locator("#comment").fill(said)
        page.get_by_role("button", name="Comentar").click()
        page.get_by_text("Comentario guardado.").wait_for()
        shown = page.locator(".history q").first.text_content()

        assert shown == said
        assert workspace.incident(name).incident.comments[-1][1:] == ("local", said)
        assert watched.complaints == []


def test_assigning_can_be_undone_to_who_had_it(own: tuple[str, Service], browser: Browser) -> None:
    with looked_at(browser, own[0]) as watched:
        page, workspace, name = _opened(watched, *own)
        for owner in ("ana", "berta"):
            page.get_by_text("Asignar", exact=True).first.click()
            page.locator("input[name=owner]:visible").fill(owner)
            page.locator(".menu[open] button").click()
            page.locator(".life-state").get_by_text(owner).wait_for()
        page.get_by_role("button", name="Deshacer").click()
        page.locator(".life-state").get_by_text("ana").wait_for()

        assert workspace.incident(name).incident.owner == "ana"


def test_shelving_without_a_reason_is_refused_in_place(own: tuple[str, Service], browser: Browser) -> None:
    with looked_at(browser, own[0]) as watched:
        page, workspace, name = _opened(watched, *own)
        page.locator("summary", has_text="Aplazar").click()
        page.locator(".menu[open] button").click()
        told = page.get_by_role("alert").text_content() or ""
        page.locator("summary", has_text="Aplazar").click()
        page.locator("input[name=reason]").fill("esperamos la pieza")
        page.locator(".menu[open] button").click()
        page.get_by_text("Aplazada; volverá por sí sola.").wait_for()

        assert "motivo" in told.lower() or "por qué" in told.lower()
        assert workspace.incident(name).incident.visibility(workspace.now()) == "shelved"
        page.get_by_role("button", name="Terminar aplazamiento").click()
        page.get_by_text("Ya no está aplazada.").wait_for()
        assert workspace.incident(name).incident.visibility(workspace.now()) == "shown"


def test_closing_shows_what_would_change_and_reopening_takes_it_back(
    own: tuple[str, Service], browser: Browser
) -> None:
    with looked_at(browser, own[0]) as watched:
        page, workspace, name = _opened(watched, *own)
        page.locator("summary", has_text="Cerrar").first.click()
        page.locator("input[value=false_alarm]").check()
        page.locator("#would-change input[name=apply]").check()
        page.get_by_role("button", name="Cerrar la incidencia").click()
        page.get_by_text("Cerrada.").wait_for()
        closed = workspace.incident(name).incident
        with workspace.store.read() as tx:
            moved = tx.threshold_factors(tx.asset_of(name).id)
        page.get_by_role("button", name="Deshacer").click()
        page.get_by_text("Abierta de nuevo").wait_for()
        with workspace.store.read() as tx:
            after = tx.threshold_factors(tx.asset_of(name).id)

        assert (closed.state, closed.verdict) == (HumanState.CLOSED, Verdict.FALSE_ALARM)
        assert max(moved.values()) > 1.0
        assert not after
        assert workspace.incident(name).incident.state is HumanState.NEW


def test_everything_can_be_done_without_a_script(own: tuple[str, Service], browser: Browser) -> None:
    with looked_at(browser, own[0], SCRIPTLESS) as watched:
        page, workspace, name = _opened(watched, *own)
        page.get_by_role("button", name="Reconocer").click()
        assert "done=acknowledge" in page.url
        page.locator("#comment").fill("visto")
        page.get_by_role("button", name="Comentar").click()
        page.locator("summary", has_text="Cerrar").first.click()
        page.locator("input[value=real]").check()
        page.get_by_role("button", name="Cerrar la incidencia").click()
        page.get_by_role("button", name="Reabrir").click()

        incident = workspace.incident(name).incident
        kinds = [one.kind.value for one in workspace.events(name)]
        assert kinds[-4:] == ["acknowledged", "commented", "closed", "reopened"]
        assert incident.state is HumanState.NEW


def test_request_that_comes_twice_is_done_once(own: tuple[str, Service]) -> None:
    import httpx

    workspace = own[1].workspace("default")
    name = _incident(workspace)
    form = {"text": "una vez", "request_key": "k1"}

    answers = [httpx.post(f"{own[0]}/console/incidents/{name}/comment", data=form) for _ in range(2)]

    assert [one.status_code for one in answers] == [303, 303]
    assert len(workspace.incident(name).incident.comments) == 1


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("comment", {"text": "  "}),
        ("shelve", {"hours": "many", "reason": "x"}),
        ("shelve", {"hours": "48", "reason": "x"}),
        ("close", {"verdict": "whatever"}),
        ("reopen", {}),
    ],
    ids=["empty comment", "no hours", "too long", "no verdict", "not closed"],
)
def test_what_makes_no_sense_is_answered_with_a_sentence(
    action: str, form: dict[str, str], client: object, looking: str
) -> None:
    import httpx

    listed = httpx.get(f"{looking}/console/incidents.json?range=90d").json()
    name = next(one["id"] for one in listed if one["state"] == "new")

    answer = httpx.post(f"{looking}/console/incidents/{name}/{action}", data=form)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_stream_says_at_once_what_happened_since_the_page_was_made(own: tuple[str, Service]) -> None:
    import httpx

    workspace = own[1].workspace("default")
    since = pulse_of(workspace)
    workspace.acknowledge(_incident(workspace), actor="berta")
    with httpx.stream("GET", f"{own[0]}/console/live", params={"since": since}, timeout=30) as answer:
        told = next(line for line in answer.iter_lines() if line.startswith("event:"))

    assert told == "event: changed"
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_page_learns_by_itself_of_what_others_do(own: tuple[str, Service], browser: Browser) -> None:
    with looked_at(browser, own[0]) as watched:
        workspace = own[1].workspace("default")
        watched.page.goto(f"{own[0]}/console/incidents?state=new&range=90d")
        before = watched.page.locator(".rows tbody tr").count()
        workspace.acknowledge(_incident(workspace), actor="berta")
        watched.page.wait_for_function(
            f"() => document.querySelectorAll('.rows tbody tr').length === {before - 1}"
        )

        assert watched.complaints == []
