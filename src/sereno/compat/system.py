"""The class of the guide, over the one scoring path."""

import logging
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from sereno.compat.fields import COMPANY, LANGUAGE, HasItems, Record, as_fields, record_of, shown_energies
from sereno.compat.opening import PROFILE, open_with_model
from sereno.compat.summary import date_text, last_data, summarise_alerts
from sereno.compat.table import Table, data_frame, read_table, refusal, with_verdicts, write_csv
from sereno.compat.verdict import Verdict, verdict_of
from sereno.domain.errors import DataError, FileUnreadable, InvalidRecord, ModelMissing, SerenoError
from sereno.domain.signals import Profile
from sereno.domain.time import system_clock
from sereno.flows.alert_files import Alert, AlertFiles, make_alert
from sereno.flows.ingest import FileResult
from sereno.flows.records import RowJudgement
from sereno.flows.watching import WatchedFolder, watch_folders
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import error_sentence, sentence

__all__ = ["SistemaAlertasTiempoReal"]

log = logging.getLogger(__name__)

_MS = 1000.0
_DECIMALS = 3


class SistemaAlertasTiempoReal:
    """Real-time alerts with the methods, files and numbers of the guide.

    The model comes from `sereno train`: run it in a workspace, then either copy `models/<id>.sereno` to
    `modelo_multi_empresa.pkl`, or open this class beside the workspace (`model_path` in its folder; the file
    itself need not exist). A real pickle is never loaded. The folder of `model_path` is the workspace:
    records are stored there, become incidents there, and the alert files are written there.

    Energies are Wh per day unless a unit row or the column's name says otherwise. Calls from several threads
    are safe; records go through one at a time.

    Args:
        model_path: A model of sereno under whatever name.
    """

    def __init__(self, model_path: str | Path = "modelo_multi_empresa.pkl") -> None:
        self.model_path = str(model_path)
        self._path = Path(model_path)
        self._alerts = AlertFiles(self._path.parent)
        self._workspace: Workspace | None = None
        self._closing: weakref.finalize[Any, Any] | None = None
        self._mutex = threading.RLock()

    def iniciar(self) -> bool:
        """Open the model and the history; False, with a sentence on what to do, without a usable model.

        A damaged history is set aside as `….damaged` and what is whole of it is kept.
        """
        try:
            workspace = open_with_model(self._path)
        except OSError as error:
            problem = FileUnreadable(file=self.model_path, detail=error.strerror or str(error))
            self._say("compat.not_started", detail=error_sentence(problem, LANGUAGE))
            return False
        except SerenoError as error:
            self._say("compat.not_started", detail=error_sentence(error, LANGUAGE))
            return False
        self.cerrar()
        self._workspace = workspace
        self._closing = weakref.finalize(self, workspace.close)
        for name in self._alerts.load():
            self._say("compat.history_damaged", file=name)
        self._say("compat.started", model=self.model_path, alerts=len(self._alerts.entries()))
        return True

    def cerrar(self) -> None:
        """Give back the store; a later call opens it again."""
        with self._mutex:
            if self._closing is not None:
                self._closing()
            self._workspace = self._closing = None

    def procesar_dato(
        self, dato: Mapping[str, object] | HasItems, empresa: str | None = None, enviar_alerta: bool = True
    ) -> dict[str, object]:
        """Judge and store one record; an abnormal one raises an alert once it is stored.

        Every call is a record of its own: the same abnormal record given twice is stored once and alerted
        twice.

        Args:
            dato: Column name → value; a dict or a pandas Series, which stays as it is.
            empresa: Company, over what the record says; one that training never saw is judged from the fleet.
            enviar_alerta: False writes no history and sends nothing; the incident exists all the same.

        Returns:
            The fields given and `Es_Anomalia`, `Score_Anomalia` (lower is stranger, below -0.05 abnormal; NaN
            where nothing could be judged), `Severidad` (`CRÍTICA`, `ALTA`, `MEDIA`, `BAJA`; `NORMAL` for
            others) and `tiempo_prediccion_ms` (storing included).

        Raises:
            InvalidRecord: It has no date, or a number can be read in two ways.
            ModelMissing: There is no model to open.
        """
        began = perf_counter()
        fields = as_fields(dato)
        record = record_of(fields, empresa, self._profile())
        with self._mutex:
            row = self._opened().add_records([record.values], units=record.units)[0]
        if row is None:
            raise InvalidRecord(detail=sentence("compat.bad_date", LANGUAGE))
        verdict = verdict_of(row)
        elapsed = round((perf_counter() - began) * _MS, _DECIMALS)
        if verdict.is_anomaly and enviar_alerta:
            self._raise_alerts([self._alert(row, verdict, record, elapsed)])
        return {
            **fields,
            "Es_Anomalia": verdict.is_anomaly,
            "Score_Anomalia": verdict.score,
            "Severidad": verdict.severity,
            "tiempo_prediccion_ms": elapsed,
        }

    def procesar_csv(
        self, csv_path: str | Path, empresa: str | None = None, output_path: str | Path | None = None
    ) -> Any:  # noqa: ANN401 - pandas where it is installed
        """Judge and store a file; one alert per abnormal row, once all rows are stored.

        Args:
            empresa: Company of all rows; otherwise a column says it, or the file's name does.
            output_path: Where to write the result too: UTF-8, commas; text that would run as a formula is
            quoted.

        Returns:
            The rows of the file, in their order, with `Es_Anomalia`, `Score_Anomalia` and `Severidad`: a
            pandas DataFrame where pandas is installed, otherwise a polars one. A row that cannot be read is
            kept with `SIN JUICIO`.

        Raises:
            DataError: The file cannot be read.
        """
        table = read_table(self._opened(), Path(csv_path))
        judged, alerts = self._judge_table(table, empresa or self._opened().site_of(csv_path), empresa)
        self._raise_alerts(alerts)
        result = with_verdicts(table, judged)
        if output_path is not None:
            write_csv(result, Path(output_path))
        return data_frame(result)

    def monitorear_carpeta(
        self,
        carpeta: str | Path = ".",
        patron: str = "*.csv",
        intervalo: float = 60,
        *,
        detener: threading.Event | None = None,
    ) -> None:
        """Take finished files as they arrive, until Ctrl+C; what was taken is known again after a restart.

        A file whose content was taken before is left alone, and a row that was already alerted (a growing
        file) is not alerted again while the history remembers it. A bad file is told and never stops the
        others.

        Args:
            intervalo: Seconds between two looks.
            detener: Ends the watch when set, from another thread.

        Raises:
            EngineRunning: Another process works on the workspace.
        """
        workspace = self._opened()
        folder = WatchedFolder(Path(carpeta), pattern=patron, interval_s=float(intervalo))
        self._say("compat.watching", folder=str(carpeta), pattern=patron, interval=f"{intervalo:g}")
        stop = detener or threading.Event()
        try:
            watch_folders(workspace, [folder], is_once=False, stop=stop, on_file=self._on_file)
        except KeyboardInterrupt:
            stop.set()
        self._say("compat.watch_ended")

    def obtener_resumen_alertas(self, dias: int = 7) -> dict[str, object]:
        """Counts of the alerts in the history: `total`, `ultimas_24h`, `por_severidad`, `por_empresa`.

        Days are those of the data, back from each company's latest reading: an old file that comes in today
        does not count as the last 24 hours.
        """
        latest = {} if self._workspace is None else last_data(self._workspace)
        return summarise_alerts(self._alerts.entries(), latest, days=dias)

    def _enviar_alerta(self, alerta: Alert) -> None:
        """Tell somebody; override it to send e-mail or a webhook. Called once the record is stored."""
        self._say(
            "compat.alert",
            severity=alerta["severidad"],
            company=alerta["empresa"],
            date=alerta["fecha_dato"],
            score=alerta["score"],
        )

    def _raise_alerts(self, alerts: Sequence[Alert]) -> None:
        self._alerts.add(*alerts)
        for alert in alerts:
            try:
                self._enviar_alerta(alert)
            except Exception:  # whatever an override does: the alert is kept, the next record must pass
                facts = {"company": alert["empresa"], "date": alert["fecha_dato"]}
                log.exception("alert not sent", extra=facts)

    def _judge_table(self, table: Table, site: str, company: str | None) -> tuple[list[Verdict], list[Alert]]:
        """Verdicts of all rows, stored together, and the alerts that they are worth."""
        profile = self._profile()
        began = perf_counter()
        records = [self._row_record(row, table.units, site, company, profile) for row in table.rows]
        with self._mutex:
            rows = (
                self._opened().add_records([r.values for r in records], units=table.units) if records else []
            )
        elapsed = round((perf_counter() - began) * _MS / max(len(rows), 1), _DECIMALS)
        verdicts = [verdict_of(row) for row in rows]
        found = zip(rows, verdicts, records, strict=True)
        alerts = [
            self._alert(row, v, record, elapsed)
            for row, v, record in found
            if row is not None and v.is_anomaly
        ]
        return verdicts, alerts

    @staticmethod
    def _row_record(
        row: Mapping[str, object], units: Mapping[str, str], site: str, company: str | None, profile: Profile
    ) -> Record:
        try:
            return record_of(row, company, profile, default_company=site)
        except InvalidRecord:  # a row without a date: the path sets it aside by itself
            return Record({**row, COMPANY: site}, dict(units))

    def _alert(self, row: RowJudgement, verdict: Verdict, record: Record, elapsed_ms: float) -> Alert:
        return make_alert(
            verdict.score,
            verdict.severity,
            company=row.asset.site,
            data_date=date_text(row.time, row.zone),
            energies=shown_energies(record.values, self._profile()),
            elapsed_ms=elapsed_ms,
            now=system_clock(),
        )

    def _on_file(self, result: FileResult) -> None:
        """Alerts of a file that the watch has stored."""
        path = Path(str(result.entry["file"]))
        if result.is_refused:
            self._say("compat.file_refused", file=path.name, detail=refusal(result.entry))
            return
        if result.is_known:
            return
        try:
            table = read_table(self._opened(), path)
        except DataError as error:  # stored and judged all the same: `sereno incidents` has it
            self._say("compat.file_refused", file=path.name, detail=error_sentence(error, LANGUAGE))
            return
        _, alerts = self._judge_table(table, self._opened().site_of(path), None)
        known = {_identity(alert) for alert in self._alerts.entries()}
        fresh = [alert for alert in alerts if _identity(alert) not in known]
        self._raise_alerts(fresh)
        self._say("compat.file_done", file=path.name, rows=len(table.rows), alerts=len(fresh))

    def _opened(self) -> Workspace:
        """The workspace, opened on first need for those who forgot `iniciar`."""
        with self._mutex:
            if self._workspace is None and not self.iniciar():
                raise ModelMissing(workspace=str(self._path.parent))
            if self._workspace is None:
                raise AssertionError
            return self._workspace

    def _profile(self) -> Profile:
        return self._opened().profiles[PROFILE]

    def _say(self, key: str, **facts: object) -> None:
        sys.stdout.write(sentence(key, LANGUAGE, **facts) + "\n")
        sys.stdout.flush()


def _identity(alert: Alert) -> tuple[str, str, str]:
    return str(alert["empresa"]), str(alert["fecha_dato"]), str(alert["datos"])
