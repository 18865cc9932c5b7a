"""The menu of the guide: five options, its prompts and its defaults, in Spanish."""

import sys
from collections.abc import Callable, Mapping

from sereno.compat.fields import COMPANY, LANGUAGE
from sereno.compat.system import SistemaAlertasTiempoReal
from sereno.domain.errors import SerenoError
from sereno.i18n.catalogue import error_sentence, sentence

__all__ = ["run_menu"]

RESULT_FILE = "resultados_alertas.csv"
DEFAULT_FOLDER = "."
DEFAULT_PATTERN = "datos_nuevos_*.csv"
DEFAULT_INTERVAL_S = 60
DEFAULT_DAYS = 7
EXAMPLE: Mapping[str, object] = {
    "Fecha y hora": "15.01.2025",
    "Generación total": 5000.0,
    "Consumo total": 80000.0,
    "Autoconsumo": 4800.0,
    "Energía suministrada a la red": 200.0,
    "Energía obtenida de la red": 75200.0,
    "Empresa": "NEUROCIENCIAS",
}
_DATE, *_ENERGIES, _ = EXAMPLE
_EXIT_NO_MODEL = 5
_EXIT_INTERRUPTED = 130


def run_menu() -> int:
    """Ask for one option, do it, and end; returns the exit code."""
    try:
        return _run()
    except SerenoError as error:
        _say(error_sentence(error, LANGUAGE))
        return error.exit_code
    except EOFError:
        return 0
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED


def _run() -> int:
    options: dict[str, Callable[[SistemaAlertasTiempoReal], None]] = {
        "1": _one_record,
        "2": _csv_file,
        "3": _watch,
        "4": _summary,
        "5": _example,
    }
    _say(sentence("compat.menu", LANGUAGE).rstrip())
    chosen = options.get(_ask("compat.ask_option"))
    if chosen is None:
        _say(sentence("compat.no_option", LANGUAGE))
        return 2
    system = SistemaAlertasTiempoReal()
    if not system.iniciar():
        return _EXIT_NO_MODEL
    try:
        chosen(system)
    finally:
        system.cerrar()
    return 0


def _one_record(system: SistemaAlertasTiempoReal) -> None:
    record: dict[str, object] = {_DATE: _ask("compat.ask_date")}
    for column in _ENERGIES:
        record[column] = _ask("compat.ask_energy", column=column)
    record[COMPANY] = _ask("compat.ask_company")
    _show(system.procesar_dato(record))


def _csv_file(system: SistemaAlertasTiempoReal) -> None:
    path = _ask("compat.ask_csv")
    company = _ask("compat.ask_company_optional")
    table = system.procesar_csv(path, company or None, RESULT_FILE)
    _say(
        sentence(
            "compat.csv_done", LANGUAGE, rows=len(table), alerts=sum(table["Es_Anomalia"]), file=RESULT_FILE
        )
    )


def _watch(system: SistemaAlertasTiempoReal) -> None:
    folder = _ask("compat.ask_folder", default=DEFAULT_FOLDER) or DEFAULT_FOLDER
    pattern = _ask("compat.ask_pattern", default=DEFAULT_PATTERN) or DEFAULT_PATTERN
    interval = _ask_number("compat.ask_interval", DEFAULT_INTERVAL_S)
    system.monitorear_carpeta(folder, pattern, interval)


def _summary(system: SistemaAlertasTiempoReal) -> None:
    days = _ask_number("compat.ask_days", DEFAULT_DAYS)
    _show_summary(system.obtener_resumen_alertas(days))


def _example(system: SistemaAlertasTiempoReal) -> None:
    _show(system.procesar_dato(EXAMPLE))
    _show_summary(system.obtener_resumen_alertas(1))


def _show(result: Mapping[str, object]) -> None:
    key = "compat.is_anomaly" if result["Es_Anomalia"] else "compat.is_normal"
    facts = {
        "severity": result["Severidad"],
        "score": result["Score_Anomalia"],
        "milliseconds": result["tiempo_prediccion_ms"],
    }
    _say(sentence(key, LANGUAGE, **facts))


def _show_summary(summary: Mapping[str, object]) -> None:
    _say(sentence("compat.summary", LANGUAGE, total=summary["total"], last_day=summary["ultimas_24h"]))
    for key, counts in (("compat.by_severity", "por_severidad"), ("compat.by_company", "por_empresa")):
        found: Mapping[str, int] = summary[counts]  # type: ignore[assignment]
        _say(sentence(key, LANGUAGE, counts=", ".join(f"{name}: {n}" for name, n in found.items()) or "–"))


def _ask(key: str, **facts: object) -> str:
    _say(sentence(key, LANGUAGE, **facts) + " ", end="")
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


def _ask_number(key: str, default: int) -> int:
    while True:
        text = _ask(key, default=default)
        if not text:
            return default
        if text.isdigit() and int(text) > 0:
            return int(text)
        _say(sentence("compat.no_number", LANGUAGE, text=text))


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
