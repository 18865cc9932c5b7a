"""Receivers and routes in `sereno.yaml`."""

from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.settings.reading import LoadedSettings, describe_settings, load_settings

FULL = """\
receivers:
  guardia:
    kind: webhook
    language: en
    timezone: Europe/Madrid
    quiet_hours: {from: "22:00", to: "07:00", days: [1, 2, 3], unless: high}
    budget: {messages: 5, per: 1h}
    digest: shift
    self_test: null
    options: {url: "https://ana:s3cret@example.com/hook", secret: "env:HOOK", port: 843, more: {token: t0ken}}
  jefa: {kind: smtp, digest: {every: weekly, day: 5, at: ["18:30"]}}
routes:
- match: {sites: ["Planta *"], severity: high, kinds: [behaviour], problems: [leak]}
  to: [guardia]
  resolved: false
  escalate: [{after: 30min, to: [jefa]}]
- to: [jefa]
notify_horizon: 48h
dead_man: {to: [jefa], after: 6h, heartbeat: {to: guardia, every: 1min}}
"""


def _load(folder: Path, text: str) -> LoadedSettings:
    (folder / "sereno.yaml").write_text(text, "utf-8")
    return load_settings(folder, {})


def _refused(folder: Path, text: str) -> dict[str, object]:
    with pytest.raises(SettingsError) as caught:
        _load(folder, text)
    return dict(caught.value.facts)


def test_receivers_and_routes_are_read(tmp_path: Path) -> None:
    tree = _load(tmp_path, FULL).tree

    guard, chief = tree.receivers["guardia"], tree.receivers["jefa"]
    assert guard.quiet_hours is not None
    assert (guard.quiet_hours.begin, guard.quiet_hours.end, guard.quiet_hours.unless) == (
        "22:00",
        "07:00",
        "high",
    )
    assert (guard.budget.messages, guard.budget.per) == (5, timedelta(hours=1))
    assert (guard.digest.every, guard.digest.times) == ("shift", ["06:00", "14:00", "22:00"])
    assert (guard.self_test, chief.self_test) == (None, timedelta(days=7))
    assert (chief.digest.every, chief.digest.day, chief.digest.times) == ("weekly", 5, ["18:30"])
    assert tree.routes[0].escalate[0].after == timedelta(minutes=30)
    assert [route.resolved for route in tree.routes] == [False, True]
    assert tree.dead_man.heartbeat is not None


def test_a_receiver_needs_little(tmp_path: Path) -> None:
    found = _load(tmp_path, "receivers: {a: {kind: webhook}}\nroutes: [{to: [a]}]\n").tree

    assert (found.receivers["a"].budget.messages, found.receivers["a"].digest.every) == (10, "none")
    assert found.routes[0].match.severity == "low"


@pytest.mark.parametrize(
    ("key", "line"), [("routes.0.to", 4), ("routes.1.escalate.0.to", 7), ("dead_man.to", 8)]
)
def test_unknown_receiver_is_refused_with_its_line_and_the_nearest_one(
    tmp_path: Path, key: str, line: int
) -> None:
    lines = [
        "receivers:",
        "  guardia: {kind: webhook}",
        "routes:",
        "- to: [guardia]",
        "- match: {severity: high}",
        "  to: [guardia]",
        "  escalate: [{after: 1h, to: [guardia]}]",
        "dead_man: {to: [guardia]}",
    ]
    before, after = lines[line - 1].rsplit("guardia", 1)
    lines[line - 1] = f"{before}gardia{after}"

    facts = _refused(tmp_path, "\n".join(lines))

    assert facts["where"] == f"{tmp_path / 'sereno.yaml'}:{line}"
    assert facts["detail"] == f"'{key}': there is no receiver 'gardia'"
    assert "'guardia'" in str(facts["hint"])


@pytest.mark.parametrize(
    ("text", "line", "key", "near"),
    [
        ("receivers:\n  a:\n    kind: x\n    lenguage: es\n", 4, "receivers.a.lenguage", "'language'"),
        (
            "receivers:\n  a:\n    kind: x\n    quiet_hours:\n      from: '22:00'\n      unles: high\n",
            6,
            "receivers.a.quiet_hours.unles",
            "'unless'",
        ),
        (
            "receivers: {a: {kind: x}}\nroutes:\n- to: [a]\n- to: [a]\n  mach: {}\n",
            5,
            "routes.1.mach",
            "'match'",
        ),
        (
            "receivers: {a: {kind: x}}\nroutes:\n- to: [a]\n  match:\n    site: [x]\n",
            5,
            "routes.0.match.site",
            "'sites'",
        ),
    ],
    ids=["receiver", "quiet hours", "route", "match"],
)
def test_unknown_key_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, key: str, near: str
) -> None:
    facts = _refused(tmp_path, text)

    assert (facts["where"], facts["detail"]) == (
        f"{tmp_path / 'sereno.yaml'}:{line}",
        f"unknown key '{key}'",
    )
    assert near in str(facts["hint"])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("receivers: {a: {}}\n", "receivers.a.kind"),
        ("receivers: {'a:b': {kind: x}}\n", "receivers.a:b"),
        ("receivers: {a: {kind: x, budget: {messages: 0}}}\n", "receivers.a.budget.messages"),
        ("receivers: {a: {kind: x, digest: daily}}\n", "receivers.a.digest.every"),
        ("receivers: {a: {kind: x, quiet_hours: {from: '25:00', to: '07:00'}}}\n", "quiet_hours.from"),
        ("receivers: {a: {kind: x, timezone: Europa/Madrid}}\n", "Europa/Madrid"),
        ("receivers: {a: {kind: x}}\nroutes: [{to: []}]\n", "routes.0.to"),
        (
            "receivers: {a: {kind: x}}\nroutes: [{to: [a], match: {severity: bad}}]\n",
            "routes.0.match.severity",
        ),
    ],
)
def test_wrong_value_is_refused_with_its_key(tmp_path: Path, text: str, key: str) -> None:
    assert key in str(_refused(tmp_path, text)["detail"])


def test_secrets_of_receivers_are_never_shown(tmp_path: Path) -> None:
    loaded = _load(tmp_path, FULL)
    shown = {key: value for key, value, _ in loaded.effective()}

    options = shown["receivers.guardia.options"]
    assert options == {"url": "********", "secret": "env:HOOK", "port": 843, "more": "********"}
    assert "s3cret" not in repr(shown) + repr(loaded.tree)
    wrong = FULL.replace("kind: webhook", "kind: 7")
    assert "s3cret" not in repr(_refused(tmp_path, wrong))


def test_every_value_of_a_route_has_its_origin(tmp_path: Path) -> None:
    found = {key: (value, origin) for key, value, origin in _load(tmp_path, FULL).effective()}

    place = f"{tmp_path / 'sereno.yaml'}"
    assert found["routes.0.resolved"] == (False, f"{place}:15")
    assert found["routes.1.resolved"] == (True, "default")
    assert found["receivers.guardia.quiet_hours.from"] == ("22:00", f"{place}:6")


def test_settings_of_alerting_are_described() -> None:
    keys = {key for key, _, _, _ in describe_settings()}

    assert {"receivers.<name>.quiet_hours.from", "routes.<number>.match.sites", "dead_man.after"} <= keys
