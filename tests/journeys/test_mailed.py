"""Promise: a mail about an incident shows what was observed and expected, and its repeat is recognisable."""

from datetime import timedelta
from pathlib import Path

import yaml

from sereno.flows.workspace import Workspace
from tests.flows.hooks import Clock
from tests.notify.test_smtp import Mailbox, part, served
from tests.support.builders import DAY, a_roof, readings_of


def test_mail_about_an_incident_has_its_words_and_its_picture(tmp_path: Path) -> None:
    roof = a_roof(rows=300, generation={(290, None): 0.0})
    mailbox = Mailbox(refusal="451 later")
    with served(mailbox) as port:
        options = {
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "from": "sereno@planta.example",
            "to": ["guardia@planta.example"],
        }
        tree = {
            "timezone": "Europe/Madrid",
            "detector": {"trees": 10},
            "receivers": {"guardia": {"kind": "smtp", "language": "es", "options": options}},
            "routes": [{"to": ["guardia"], "match": {"kinds": ["behaviour"]}}],
        }
        (tmp_path / "sereno.yaml").write_text(yaml.safe_dump(tree), "utf-8")
        clock = Clock(now=roof.time[-1].astype(object).astimezone() + DAY)
        with Workspace.open(tmp_path, clock=clock) as workspace:
            workspace.add(readings_of(roof.rows(0, 280)), zone=roof.zone)
            workspace.train()
            workspace.add(readings_of(roof.rows(280, 300)), zone=roof.zone, judge=True)
            first = workspace.deliver_due().to_json()
            mailbox.refusal = ""
            clock.move(timedelta(hours=2))
            second = workspace.deliver_due().to_json()
            (view,) = [one for one in workspace.incidents() if one.incident.kind.value == "behaviour"]

    (mail,) = [one for _, one in mailbox.got]
    assert (first["retry"], second["accepted"]) == (1, 1)
    assert view.sentence("es") in part(mail, "text/plain").get_content().replace("\n", " ")
    picture = part(mail, "image/png")
    assert picture.get_content().startswith(b"\x89PNG")
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in part(mail, "text/html").get_content()
