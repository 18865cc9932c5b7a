"""A mail that some addresses take and others do not: each is told once, or visibly not at all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Severity
from tests.flows.hooks import Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, MINUTE, a_failure, happen, open_one, plants
from tests.notify.test_smtp import Mailbox, served

DAYS_3 = timedelta(hours=72)
ANA, EVA = "ana@x.example", "eva@x.example"


@contextmanager
def a_mailed_site(
    folder: Path, mailbox: Mailbox, url: str | None = None, **changes: object
) -> Iterator[Site]:
    """A workspace that mails Ana and Eva."""
    with served(mailbox) as port:
        options = {"host": "127.0.0.1", "port": port, "security": "none"}
        options |= {"from": "sereno@x.example", "to": [ANA, f"Eva <{EVA}>"]}
        mail = {"kind": "smtp", "language": "en", "self_test": None, "options": options, **changes}
        with workspace_with(folder, {"correo": mail}, url=url) as site:
            yield site


def mails_of(mailbox: Mailbox) -> list[tuple[str, str]]:
    """Who got what, in order: address and the word in brackets."""
    return [
        (to, str(mail["Subject"]).split("]")[0].strip(" ["))
        for addresses, mail in mailbox.got
        for to in addresses
    ]


def test_address_that_takes_it_later_is_told_then_and_the_other_only_once(
    database_url: str, tmp_path: Path
) -> None:
    mailbox = Mailbox(refused={EVA: "450 greylisted"})
    with a_mailed_site(tmp_path, mailbox, database_url) as site:
        open_one(site.workspace.store)
        site.deliver()
        (before,) = site.workspace.receivers()
        mailbox.refused = {}
        waited = site.until(lambda: len(mailbox.got) == 2, step=MINUTE / 6, most=HOUR)
        site.deliver(3 * HOUR)
        proof = site.workspace.told_of("incident-1")

    assert [to for to, _ in mails_of(mailbox)] == [ANA, EVA]
    assert waited <= MINUTE
    assert before.to_json()["queued"] == 1
    assert {one["receiver"]: one["status"] for one in proof} == {"correo": "sent", f"correo/{EVA}": "sent"}
    assert [[a["code"] for a in one["attempts"]] for one in proof] == [["250"], ["450", "250"]]  # type: ignore[attr-defined]


def test_address_that_does_not_exist_is_visibly_failed_and_others_hear_of_it(tmp_path: Path) -> None:
    mailbox = Mailbox(refused={EVA: "550 no such user"})
    with a_hook() as hook, served(mailbox) as port:
        options = {"host": "127.0.0.1", "port": port, "security": "none"}
        options |= {"from": "sereno@x.example", "to": [ANA, EVA]}
        mail = {"kind": "smtp", "language": "en", "self_test": None, "options": options}
        receivers = {"correo": mail, "jefa": hook_settings(hook.url)}
        with workspace_with(
            tmp_path, receivers, routes=[{"to": ["correo"]}], dead_man={"to": ["jefa"]}
        ) as site:
            for number, key in enumerate(plants(2)):
                open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
            site.deliver()
            site.deliver(3 * HOUR)
            dead = site.workspace.notifications(statuses=["dead"])
            correo = site.workspace.receivers()[0]
            mailbox.refused = {}
            open_one(site.workspace.store, "incident-2", detection=a_failure(asset=plants(3)[2]))
            site.deliver()
            site.workspace.resend([int(str(one["id"])) for one in dead])
            site.deliver()
            after = site.workspace.receivers()[0]

    assert [(one["receiver"], one["reason"]) for one in dead] == [(f"correo/{EVA}", "550 no such user")] * 2
    assert (correo.condition, correo.to_json()["reason"]) == ("broken", f"{EVA}: 550 no such user")
    assert hook.events == ["channel_broken"]
    assert (hook.data[0]["broken"], after.condition) == (f"correo/{EVA}", "ok")
    assert Counter(to for to, _ in mails_of(mailbox)) == {ANA: 3, EVA: 3}


def test_address_that_missed_a_beginning_is_told_everything_in_order_and_once(tmp_path: Path) -> None:
    mailbox = Mailbox(refused={EVA: "452 mailbox full"})
    with a_mailed_site(tmp_path, mailbox) as site:
        store = site.workspace.store
        open_one(store)
        site.deliver()
        happen(store, EventKind.CLEARED, detection=a_failure(hours=4), at=site.clock.now)
        other = a_failure(asset=plants(1)[0], severity=Severity.HIGH)
        open_one(store, "incident-2", detection=other)
        site.deliver(MINUTE / 4)
        at_first = mails_of(mailbox)
        mailbox.refused = {}
        site.until(lambda: len(mailbox.got) == 5, step=MINUTE, most=2 * HOUR)
        over = replace(other, ended_at=other.started_at + 4 * HOUR)
        happen(store, EventKind.CLEARED, "incident-2", detection=over, at=site.clock.now)
        site.deliver(MINUTE)
        site.deliver(3 * HOUR)
        statuses = Counter(site.statuses())

    assert at_first == [(ANA, "medium"), (ANA, "resolved"), (ANA, "high")]
    in_between, last = mails_of(mailbox)[3:5], mails_of(mailbox)[5:]
    assert in_between == [(EVA, "medium, already resolved"), (EVA, "high")]
    assert sorted(last) == [(ANA, "resolved"), (EVA, "resolved")]
    assert set(statuses) == {"sent", "folded"}


def test_digest_reaches_the_address_that_missed_it_whole(tmp_path: Path) -> None:
    mailbox = Mailbox(refused={EVA: "450 later"})
    with a_mailed_site(tmp_path, mailbox, budget={"messages": 1, "per": "10min"}) as site:
        for number, key in enumerate(plants(3)):
            open_one(site.workspace.store, f"incident-{number}", detection=a_failure(asset=key))
        site.deliver()
        mailbox.refused = {}
        site.deliver(MINUTE)

    (first, second) = mailbox.got
    assert (first[0], second[0]) == ([ANA], [EVA])
    assert first[1]["Subject"] == second[1]["Subject"]
    assert "3" in second[1]["Subject"]


def test_address_that_never_takes_it_is_given_up_and_holds_up_nobody(tmp_path: Path) -> None:
    mailbox = Mailbox(refused={EVA: "452 mailbox full"})
    with a_mailed_site(tmp_path, mailbox) as site:
        open_one(site.workspace.store)
        site.until(lambda: "dead" in site.statuses(), step=HOUR, most=DAYS_3 + 3 * HOUR)
        late = a_failure(asset=plants(1)[0], last=site.clock.now)
        open_one(site.workspace.store, "incident-2", detection=late, at=site.clock.now)
        site.deliver()
        statuses = site.statuses("correo")

    assert statuses == ["sent", "sent"]
    assert Counter(to for to, _ in mails_of(mailbox)) == {ANA: 2}
