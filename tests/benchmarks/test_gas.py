import numpy as np
import pytest

from benchmarks.faults.injecting import Stretch
from benchmarks.faults.scoring import FAR, Found
from benchmarks.faults.series import Dialect, Series
from benchmarks.gas.injecting import GAS_FAULTS, TWIN_FAULTS
from benchmarks.gas.labels import label_figures
from benchmarks.gas.network import network_of, network_values, plan_network, told_of, with_control
from sereno.domain.signals import AssetKey

HOURS = 24 * 700
SIGNALS = ("pressure", "temperature", "volume")


def a_client(name: str = "CLIENTE1", *, bar: float = 17.6, spread: float = 0.1, seed: int = 0) -> Series:
    rng = np.random.default_rng(seed)
    time = np.datetime64("2021-01-01", "us") + np.arange(HOURS) * np.timedelta64(1, "h")
    columns = (
        bar + 0.05 * rng.standard_normal(HOURS),
        25 + rng.standard_normal(HOURS),
        100 * np.exp(spread * rng.standard_normal(HOURS)),
    )
    dialect = Dialect(
        "clientes_horario.parquet", "Fecha", tuple((s, "") for s in SIGNALS), "", ".", "ymd", False
    )
    key = AssetKey(name, name)
    return Series("gas_industrial", key, "gas", "UTC", time, SIGNALS, np.column_stack(columns), dialect)


def a_stretch(series: Series, days: int, *, start: int = 24 * 500) -> Stretch:
    typical, largest = np.median(series.values, axis=0), series.values.max(axis=0)
    return Stretch(series, start, start + 24 * days, typical, largest, np.random.default_rng(1))


@pytest.mark.parametrize(("name", "days"), [("leak_floor", 20), ("gradual_loss", 70), ("bypass", 2)])
def test_faults_change_what_they_say_and_nothing_else(name: str, days: int) -> None:
    fault, stretch = GAS_FAULTS[name], a_stretch(a_client(), days)
    (signals,) = fault.targets(stretch.series)

    change = fault.disturb(stretch, signals)

    assert change is not None
    assert change.altered == signals
    changed = (change.values != stretch.values).any(axis=0)
    assert [n for n, is_changed in zip(SIGNALS, changed, strict=True) if is_changed] == sorted(signals)


def test_a_leak_adds_the_same_to_every_hour() -> None:
    stretch = a_stretch(a_client(), 20)

    change = GAS_FAULTS["leak_floor"].disturb(stretch, ("volume",))

    assert change is not None
    added = change.values[:, 2] - stretch.values[:, 2]
    assert np.ptp(added) < 1e-9
    assert 9 < added[0] < 31


def test_a_leak_within_what_floors_do_of_themselves_is_not_placed() -> None:
    client = a_client()
    client.values[:, 2] *= np.where(np.arange(HOURS) // (60 * 24) % 2 == 0, 0.6, 1.4)

    assert GAS_FAULTS["leak_floor"].disturb(a_stretch(client, 20), ("volume",)) is None


def test_a_drift_is_of_three_percent() -> None:
    stretch = a_stretch(a_client(), 20)

    change = TWIN_FAULTS["twin_drift_3_percent"].disturb(stretch, ("volume",))

    assert change is not None
    assert abs(change.values[-1, 2] / stretch.values[-1, 2] - 1) == pytest.approx(0.03)


def test_a_check_meter_reads_the_volume_again() -> None:
    client = a_client()

    control = with_control(client, 1)

    assert control.signals == ("volume",)
    assert control.key.site == "CLIENTE1-control"
    assert np.std(control.values[:, 0] / client.values[:, 2]) == pytest.approx(0.003, rel=0.1)


def test_clients_at_one_level_of_pressure_hang_on_one_network_and_fall_together() -> None:
    clients = [a_client(f"C{i}", seed=i) for i in range(5)] + [a_client("LOW", bar=3.5)]

    members = network_of(clients)
    events = plan_network(members, 3, seed=1)
    fallen = [network_values(one, events) for one in clients]

    assert [one.key.site for one in members] == ["C0", "C1", "C2", "C3", "C4"]
    for event in events:
        inside = (clients[0].time >= event.first) & (clients[0].time < event.last)
        share = [(v[inside, 0] / c.values[inside, 0])[-1] for v, c in zip(fallen, clients, strict=True)]
        assert share == pytest.approx([1 - event.share] * 5 + [1.0])


def test_only_new_incidents_tell_of_an_event() -> None:
    client = a_client()
    (event,) = plan_network([client] * 4, 1, seed=1)
    before = Found("1", "C0", "C0", "behaviour.low", ("pressure",), client.time[0], FAR)
    new = Found("2", "C0", "C0", "behaviour.common", ("pressure",), event.first, event.last)

    assert told_of(event, [before, new], [before]) == [new]


def test_labels_are_counted_once_per_client_and_hour(tmp_path) -> None:
    client = a_client()
    hour = str(client.time[-10])[:19].replace("T", " ")
    rows = [f"CLIENTE1,{hour},True,Alta,{v}" for v in ("Presion", "Temperatura", "Volumen")]
    path = tmp_path / "ground_truth.csv"
    path.write_text("cliente_id,Fecha,anomalia_real,criticidad_real,variable_afectada\n" + "\n".join(rows))
    found = Found(
        "1", "CLIENTE1", "CLIENTE1", "behaviour.low", ("volume",), client.time[-11], client.time[-9]
    )

    figures = label_figures(path, [client], [found])

    assert figures is not None
    assert (figures["labelled"], figures["recall"], figures["precision"]) == (1, 1.0, 0.5)


def test_nothing_is_said_of_labels_that_are_not_there(tmp_path) -> None:
    assert label_figures(tmp_path / "none.csv", [a_client()], []) is None
