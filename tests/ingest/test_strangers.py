"""Exports of portals in the shape that the portal writes, read without any setting."""

import pytest

from sereno.flows.build import open_setup
from sereno.flows.ingest import check_file
from tests.ingest.builders import MADRID, hours, read, write

N_HOURS = 14 * 24
GENERATION = (0,) * 6 + (0.2, 0.9, 1.7, 2.5, 3.1, 3.4, 3.5, 3.3, 2.9, 2.2, 1.4, 0.6) + (0.1, 0, 0, 0, 0, 0)
CONSUMPTION = (0.3, 0.2, 0.5, 0.8, 0.6, 0.4, 0.9, 1.2)
NOON = 12
"""Position of the row that is compared: 12:00 local time of the first day."""


def values(i: int) -> dict[str, float]:
    """Energies of an hour that balance [kWh]; the volumes of a gas meter beside them."""
    generation, consumption = GENERATION[i % 24], CONSUMPTION[i % 8]
    own = min(generation, consumption)
    return {
        "g": generation, "c": consumption, "s": own, "e": generation - own, "i": consumption - own,
        "v": 100.0 + i % 13, "b": 420.0 + 4 * (i % 13), "p": 4.0 + i % 3 / 10, "t": 15.0 + i % 5,
    }  # fmt: skip


def export(titles: str, row: str, *, form: str, scale: float = 1.0, decimal: str = ",") -> str:
    """The titles, and a line for each hour: `{g}` and its like are values, `{t0}` is the instant."""
    lines = []
    for i, stamp in enumerate(hours(N_HOURS, start="2024-05-01T00", form=form)):
        cells = {key: f"{value * scale:.2f}".replace(".", decimal) for key, value in values(i).items()}
        lines.append(row.format(t0=stamp, **cells))
    return "\n".join([titles, *lines, ""])


ISO, DAY_FIRST, DOTS, MONTH_FIRST = "%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M"
SOLAR = {"generation": "g", "consumption": "c", "self_consumption": "s", "export": "e", "import": "i"}
EXPORTS = {
    "SMA Sunny Portal, formats over units": (
        export(
            "Periodo;Generación total;Consumo total;Autoconsumo\ndd/MM/yyyy HH:mm;Contador;"
            "Contador;Contador\n"
            ";[kWh];[kWh];[kWh]",
            "{t0};{g};{c};{s}",
            form=DAY_FIRST,
        ),
        "solar",
        {"generation": "g", "consumption": "c", "self_consumption": "s"},
    ),
    "SMA Sunny Portal, format and units in one row": (
        export(
            "sep=;\n;Generación total;Consumo total\ndd/MM/yyyy HH:mm;[kWh];[kWh]", "{t0};{g};{c}",
            form=DAY_FIRST,
        ),
        "solar",
        {"generation": "g", "consumption": "c"},
    ),
    "Victron VRM, three rows": (
        export(
            '"timestamp","System overview [0]","System overview [0]"\n"Europe/Madrid (+02:00)",'
            '"Grid L1",'
            '"PV power"'
            '\n"","W","W"',
            '"{t0}","{i}","{g}"',
            form=ISO,
            decimal=".",
        ),
        "process",
        {"System overview [0] Grid L1": "i", "System overview [0] PV power": "g"},
    ),
    "Victron VRM, energies": (
        export(
            '"timestamp","Solar yield","Grid to consumers","Consumption","PV to grid","PV to consumers"\n'
            '"Europe/Madrid (+02:00)","kWh","kWh","kWh","kWh","kWh"',
            '"{t0}","{g}","{i}","{c}","{e}","{s}"',
            form=ISO,
            decimal=".",
        ),
        "solar",
        SOLAR,
    ),
    "Fronius Solar.web": (
        export(
            "Fecha y hora;Energía | Symo 10.0-3-M (1);Energía alimentada a la red;Energía obtenida de la red;"
            "Consumo directo;Consumo\n[dd.MM.yyyy HH:mm];[Wh];[Wh];[Wh];[Wh];[Wh]",
            "{t0};{g};{e};{i};{s};{c}",
            form=DOTS,
            scale=1000,
        ),
        "solar",
        SOLAR,
    ),
    "FusionSolar": (
        export(
            "Plant Report\nStatistical Period,Plant Name,PV Yield (kWh),Inverter Yield (kWh),"
            "Consumption (kWh),"
            "Feed-in (kWh),From Grid (kWh),Self-consumption (kWh)",
            "{t0},Nave 1,{g},{g},{c},{e},{i},{s}",
            form=ISO,
            decimal=".",
        ),
        "solar",
        SOLAR,
    ),
    "FusionSolar in Spanish": (
        export(
            "Periodo estadístico;Nombre de la planta;Rendimiento FV (kWh);Consumo (kWh);"
            "Inyección a la red (kWh);"
            "Suministro de la red (kWh);Autoconsumo (kWh)",
            "{t0};Nave 1;{g};{c};{e};{i};{s}",
            form=ISO,
        ),
        "solar",
        SOLAR,
    ),
    "SolarEdge, energies": (
        export(
            "Time,Consumption (Wh),Solar Production (Wh),Self Consumption (Wh),Export (Wh),Import (Wh)",
            "{t0},{c},{g},{s},{e},{i}",
            form=MONTH_FIRST,
            scale=1000,
            decimal=".",
        ),
        "solar",
        SOLAR,
    ),
    "SolarEdge, mean power": (
        export(
            "Time,Consumption (W),System Production (W)", "{t0},{c},{g}",
            form=MONTH_FIRST, scale=1000, decimal=".",
        ),
        "solar",
        {"generation": "g", "consumption": "c"},
    ),
    "Enphase": (
        export(
            "Date/Time,Energy Produced (Wh),Energy Consumed (Wh),Exported to Grid (Wh),"
            "Imported from Grid (Wh)",
            "{t0} +0200,{g},{c},{e},{i}",
            form=ISO,
            scale=1000,
            decimal=".",
        ),
        "solar",
        {key: SOLAR[key] for key in ("generation", "consumption", "export", "import")},
    ),
    "line and corrected volume": (
        export(
            "Fecha y hora;Presión (bar);Temperatura (°C);Volumen corregido (m³);Volumen sin corregir (m³)",
            "{t0};{p};{t};{b};{v}",
            form=DOTS,
        ),
        "gas",
        {"pressure": "p", "temperature": "t", "volume": "v", "base_volume": "b"},
    ),
    "corrected volume alone": (
        export(
            "Fecha y hora;Presión (bar);Temperatura (°C);Volumen corregido (m³)", "{t0};{p};{t};{b}",
            form=DOTS,
        ),
        "gas",
        {"pressure": "p", "temperature": "t", "volume": "b"},
    ),
    "Naturgy, gas and its energy": (
        export("Fecha;Consumo (m3);Consumo (kWh);Tipo de lectura", "{t0};{v};{b};Real", form=DAY_FIRST),
        "gas",
        {"volume": "v"},
    ),
    "Enel Perú": (
        export("Suministro: 1234567\nFecha,kWh Activa,kVARh Reactiva", "{t0},{v},{p}",
               form=DAY_FIRST, decimal="."),
        "load",
        {"energy": "v"},
    ),
    "CFE": (
        export(
            "RPU,Fecha,kWh entregados,kWh recibidos,kVArh Q1", "123456789012,{t0},{v},0.00,{p}",
            form=DAY_FIRST, decimal=".",
        ),
        "load",
        {"energy": "v"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "profile", "signals"), EXPORTS.values(), ids=list(EXPORTS))
def test_export_is_read_as_what_it_is_without_any_setting(tmp_path, text, profile, signals):
    plan, report, batches = read(write(tmp_path, text), MADRID)

    readings = batches[-1].readings
    found = dict(zip(readings.signals, readings.values[NOON].tolist(), strict=True))
    assert plan.profile.name == profile
    assert (report.totals.records_good, report.totals.records_quarantined) == (N_HOURS, 0)
    assert str(readings.time[NOON])[:16] == "2024-05-01T10:00"
    assert found == pytest.approx({name: values(NOON)[key] for name, key in signals.items()}, abs=1e-3)
    assert not any(issue.code == "read.ambiguous" for issue in report.issues)


def test_inverters_behind_a_bar_are_assets(tmp_path):
    titles = (
        "Fecha y hora;Energía | Symo 10.0-3-M (1);Energía | Symo 8.2-3-M (2)\n[dd.MM.yyyy HH:mm];[Wh];[Wh]"
    )
    text = export(titles, "{t0};{g};{c}", form=DOTS, scale=1000)

    _, _, batches = read(write(tmp_path, text), MADRID)

    readings = batches[-1].readings
    assert [a.asset for a in readings.assets] == ["Symo 10.0-3-M (1)", "Symo 8.2-3-M (2)"]
    assert [readings.of_asset(k).values[NOON, 0] for k in range(2)] == pytest.approx([3.5, 0.6])


def test_columns_of_a_bill_that_are_no_readings_are_not_read_as_such(tmp_path):
    months = [
        f"ES02;01/{m:02d}/2023;28/{m:02d}/2023;{1000 + 50 * m};{1050 + 50 * m};{40 + m % 5};11,63;{500 + m}"
        for m in range(1, 13)
    ]
    titles = (
        "CUPS;Fecha desde;Fecha hasta;Lectura anterior (m3);Lectura actual (m3);Consumo (m3);"
        "Factor de conversión;Consumo (kWh)"
    )

    plan, _, batches = read(write(tmp_path, "\n".join([titles, *months, ""])), MADRID)

    readings = batches[-1].readings
    assert (plan.profile.name, plan.dates.order, readings.signals) == ("gas", "dmy", ("volume",))
    assert readings.values[:, 0].tolist() == [40 + m % 5 for m in range(1, 13)]


def test_every_role_of_a_column_has_its_reason(tmp_path):
    text = EXPORTS["Naturgy, gas and its energy"][0]

    entry = check_file(write(tmp_path, text), open_setup(tmp_path / "w"), MADRID).entry

    reasons = [column["reason"] for table in entry["tables"] for column in table["columns"]]
    assert len(reasons) == 4
    assert all(reasons)
