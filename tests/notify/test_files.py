"""The alert files of the first system as a receiver."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sereno.contracts.notification import Outcome, Sender
from sereno.notify.options import Place
from sereno.notify.registry import build_sender
from tests.notify.messages import a_message, an_incident
from tests.support.work import bytes_moved

HISTORY, CRITICAL = "alertas_historial.json", "alertas_criticas.json"


def a_sender(folder: Path) -> Sender:
    return build_sender("ficheros", "files", {"folder": "alertas"}, place=Place(folder))


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((folder / "alertas" / name).read_text("utf-8"))


def told(number: int = 0, **changes: Any) -> Any:
    opened = f"2025-03-10T08:{number // 60 % 60:02d}:{number % 60:02d}.{number:06d}Z"
    incident = an_incident(id=str(number), site=f"PLANTA_{number}", opened_at=opened, **changes)
    return a_message(key=f"{number}:1", facts={"incidents": [incident]})


def test_alert_has_the_fields_of_the_guide(tmp_path: Path) -> None:
    answer = a_sender(tmp_path).send(told(7))

    (alert,) = read(tmp_path, HISTORY)
    assert answer.outcome is Outcome.ACCEPTED
    assert list(alert) == [
        *("timestamp", "fecha_dato", "empresa", "es_anomalia"),
        *("score", "severidad", "datos", "tiempo_prediccion_ms"),
    ]
    assert (alert["empresa"], alert["severidad"], alert["es_anomalia"]) == ("PLANTA_7", "CRÍTICA", True)
    assert alert["fecha_dato"] == "10.03.2025 11:15"
    assert alert["score"] < -0.5
    assert alert["datos"] == {"Generación total": 0.0, "Consumo total": None, "Autoconsumo": None}
    assert read(tmp_path, CRITICAL) == [alert]


def test_only_critical_ones_go_to_the_critical_file(tmp_path: Path) -> None:
    sender = a_sender(tmp_path)

    sender.send(told(1, severity="high"))
    sender.send(told(2))

    assert [one["empresa"] for one in read(tmp_path, HISTORY)] == ["PLANTA_1", "PLANTA_2"]
    assert [one["empresa"] for one in read(tmp_path, CRITICAL)] == ["PLANTA_2"]


def test_repeat_changes_nothing_even_after_a_restart(tmp_path: Path) -> None:
    a_sender(tmp_path).send(told(1))
    a_sender(tmp_path).send(told(2))
    before = [(tmp_path / "alertas" / name).read_bytes() for name in (HISTORY, CRITICAL)]

    answer = a_sender(tmp_path).send(told(1))

    assert answer.outcome is Outcome.ACCEPTED
    assert [(tmp_path / "alertas" / name).read_bytes() for name in (HISTORY, CRITICAL)] == before


def test_critical_alert_is_made_good_when_the_process_ended_between_the_files(tmp_path: Path) -> None:
    a_sender(tmp_path).send(told(1))
    (tmp_path / "alertas" / CRITICAL).unlink()

    a_sender(tmp_path).send(told(1))

    assert len(read(tmp_path, HISTORY)) == len(read(tmp_path, CRITICAL)) == 1


def test_end_of_an_incident_and_a_test_raise_no_alert(tmp_path: Path) -> None:
    sender = a_sender(tmp_path)

    answers = [
        sender.send(a_message(event="resolved")),
        sender.send(a_message(event="test", facts={"incidents": []})),
    ]

    assert [answer.outcome for answer in answers] == [Outcome.ACCEPTED] * 2
    assert read(tmp_path, HISTORY) == []


def test_history_keeps_the_last_thousand(tmp_path: Path) -> None:
    sender = a_sender(tmp_path)
    many = [told(n).facts["incidents"][0] for n in range(1_020)]

    sender.send(a_message(event="digest", facts={"incidents": many}))

    assert [len(read(tmp_path, name)) for name in (HISTORY, CRITICAL)] == [1_000, 1_020]
    assert read(tmp_path, HISTORY)[0]["empresa"] == "PLANTA_20"


def test_damaged_file_is_set_aside_and_told(tmp_path: Path) -> None:
    sender = a_sender(tmp_path)
    sender.send(told(1))
    for name in (HISTORY, CRITICAL):
        path = tmp_path / "alertas" / name
        path.write_bytes(path.read_bytes().rstrip().removesuffix(b"]") + b',\n{"empre')

    answer = sender.send(told(2))

    assert answer.outcome is Outcome.ACCEPTED
    assert HISTORY in answer.detail
    assert CRITICAL in answer.detail
    for name in (HISTORY, CRITICAL):
        assert [one["empresa"] for one in read(tmp_path, name)] == ["PLANTA_1", "PLANTA_2"]
        assert (tmp_path / "alertas" / f"{name}.damaged").exists()


def test_full_disk_is_tried_again_and_leaves_the_files_whole(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    sender = a_sender(tmp_path)
    for number in range(20):
        sender.send(told(number))
    before = [(tmp_path / "alertas" / name).read_bytes() for name in (HISTORY, CRITICAL)]

    answer = _without_space(resource, sender, told(20), max(map(len, before)) + 40)

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "disk")
    assert [(tmp_path / "alertas" / name).read_bytes() for name in (HISTORY, CRITICAL)] == before
    assert sender.send(told(20)).outcome is Outcome.ACCEPTED
    assert [len(read(tmp_path, name)) for name in (HISTORY, CRITICAL)] == [21, 21]


def _without_space(resource: Any, sender: Sender, message: Any, n_bytes: int) -> Any:
    """Send while no file may grow beyond so many bytes: the system's own way to say no in the middle."""
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        return sender.send(message)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def test_critical_file_alone_is_whole_when_it_cannot_grow(tmp_path: Path) -> None:
    """The history has its limit of entries, so that only the critical file meets the limit of size."""
    resource = pytest.importorskip("resource")
    sender = a_sender(tmp_path)
    many = [told(n).facts["incidents"][0] for n in range(1_200)]
    sender.send(a_message(event="digest", facts={"incidents": many}))
    before = (tmp_path / "alertas" / CRITICAL).read_bytes()

    answer = _without_space(resource, sender, told(1_200), len(before) + 20)

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "disk")
    assert (tmp_path / "alertas" / CRITICAL).read_bytes() == before
    assert sender.send(told(1_200)).outcome is Outcome.ACCEPTED
    assert len(read(tmp_path, CRITICAL)) == 1_201


@pytest.mark.skipif(os.name == "nt", reason="folders cannot be made read-only so")
def test_folder_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "alertas").write_text("a file where the folder should be", "utf-8")

    answer = a_sender(tmp_path).send(told(1))

    assert (answer.outcome, answer.code) == (Outcome.RETRY, "disk")


def test_cost_does_not_grow_with_the_critical_file(tmp_path: Path) -> None:
    """Beyond a thousand alerts nothing that is read or written grows."""
    sender = a_sender(tmp_path)
    many = [told(n).facts["incidents"][0] for n in range(3_000)]
    sender.send(a_message(event="digest", facts={"incidents": many}))
    early = bytes_moved(lambda: accepted(sender, 3_000))
    path = tmp_path / "alertas" / CRITICAL
    lines = path.read_bytes().rstrip().removesuffix(b"]").rstrip()
    path.write_bytes(lines + b',\n{"empresa": "x"}' * 300_000 + b"\n]\n")

    late = bytes_moved(lambda: accepted(sender, 3_100))

    assert late < 1.1 * early


def accepted(sender: Sender, number: int) -> None:
    assert sender.send(told(number)).outcome is Outcome.ACCEPTED
