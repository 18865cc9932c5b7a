import re
import unicodedata
from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.domain.signals import Profile
from sereno.settings.profiles import load_profiles

PROFILES = load_profiles()
USER = """
name: caldera
signals:
  heat: {quantity: energy, unit: kWh, kind: interval, ratio_scaled: true, aliases: [calor]}
  fuel: {quantity: energy, unit: kWh, kind: interval}
identities:
  heat_balance: {total: heat, parts: [fuel]}
"""


def _folded(alias: str) -> str:
    plain = unicodedata.normalize("NFKD", alias.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


def _user_profiles(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "caldera.yaml").write_text(text, "utf-8")
    return folder


def test_five_worlds_are_there() -> None:
    assert set(PROFILES) == {"solar", "motor", "process", "gas", "load"}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_name_of_a_column_means_one_thing_in_a_profile(profile: Profile) -> None:
    owners: dict[str, set[str]] = {}
    for signal in profile.signals:
        for alias in (signal.name, *signal.aliases):
            owners.setdefault(_folded(alias), set()).add(signal.name)
    for role, aliases in (
        ("time", profile.time_aliases),
        ("identity", (*profile.site_aliases, *profile.asset_aliases)),
        ("ignored", profile.ignored),
    ):
        for alias in aliases:
            owners.setdefault(_folded(alias), set()).add(role)

    assert {alias: owner for alias, owner in owners.items() if len(owner) > 1} == {}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_signals_have_units_bounds_and_names_in_both_languages(profile: Profile) -> None:
    for signal in profile.signals:
        assert signal.unit
        assert signal.minimum is None or signal.maximum is None or signal.minimum < signal.maximum
        assert set(signal.labels or {}) == {"es", "en"}
    assert set(profile.labels or {}) == {"es", "en"}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_signals_of_an_identity_have_one_unit(profile: Profile) -> None:
    for identity in profile.identities:
        assert len({profile.signal(name).unit for name in identity.signals}) == 1


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda p: p.name)
def test_vital_signals_are_judged_as_ratios(profile: Profile) -> None:
    assert all(signal.is_ratio_scaled for signal in profile.signals if signal.is_vital)


def test_users_add_profiles_of_their_own(tmp_path: Path) -> None:
    profiles = load_profiles(_user_profiles(tmp_path / "profiles", USER))

    assert set(profiles) == {*PROFILES, "caldera"}
    assert profiles["caldera"].signal("heat").aliases == ("calor",)
    assert profiles["caldera"].identities[0].signals == ("heat", "fuel")


def test_user_profile_stands_over_that_of_the_package(tmp_path: Path) -> None:
    profiles = load_profiles(_user_profiles(tmp_path / "profiles", USER.replace("caldera", "solar", 1)))

    assert profiles["solar"].signal_names == ("heat", "fuel")


def test_folder_need_not_exist(tmp_path: Path) -> None:
    assert load_profiles(tmp_path / "profiles") == PROFILES


def test_identity_of_an_unknown_signal_is_refused(tmp_path: Path) -> None:
    folder = _user_profiles(tmp_path / "profiles", USER.replace("parts: [fuel]", "parts: [feul]"))

    with pytest.raises(SettingsError) as caught:
        load_profiles(folder)

    assert caught.value.facts == {
        "where": f"{folder / 'caldera.yaml'}: identities.heat_balance",
        "detail": "'feul' is not a signal of the profile",
        "hint": "Signals are heat, fuel.",
    }


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("unit: kWh, kind: interval, ratio", "unitt: kWh, kind: interval, ratio", "signals.heat"),
        ("kind: interval, ratio", "kind: often, ratio", "signals.heat.kind"),
        ("name: caldera\n", "", "name"),
    ],
    ids=["unknown key", "wrong value", "no name"],
)
def test_wrong_profile_is_refused_with_file_and_key(tmp_path: Path, old: str, new: str, where: str) -> None:
    folder = _user_profiles(tmp_path / "profiles", USER.replace(old, new))

    with pytest.raises(SettingsError) as caught:
        load_profiles(folder)

    assert str(caught.value.facts["where"]).startswith(f"{folder / 'caldera.yaml'}: {where}")


@pytest.mark.parametrize("text", ["a: [1", "- 1", ""], ids=["broken", "list", "empty"])
def test_profile_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        load_profiles(_user_profiles(tmp_path / "profiles", text))


def test_unknown_signal_of_an_open_profile_is_unbounded() -> None:
    signal = PROFILES["process"].signal("whatever")

    assert (signal.unit, signal.minimum, signal.maximum) == ("", None, None)
