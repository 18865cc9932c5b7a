"""The page for who comes from the gas pipeline: every option is placed, and its example runs."""

import re
from pathlib import Path

import pytest
import yaml

from sereno.domain.criticality import Criticality
from sereno.flows.evaluation import PERFORMANCE_COLUMNS
from sereno.settings.reading import describe_settings
from sereno.settings.tree import Settings
from tests.support.gas_clients import gas_clients
from tests.support.processes import ROOT, sereno

PAGE = ROOT / "docs" / "es" / "desde-contugas.md"
if not PAGE.is_file():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)

TEXT = PAGE.read_text("utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
THEIRS = {
    "rutas": "raw preprocesado cluster_assignments anomalias resultados_evaluacion modelos_entrenados logs"
    " ground_truth_data execution_times",
    "etl": "columna_fecha_original columnas_numericas metodo_faltantes metodo_outliers_prepro"
    " factor_outliers_iqr factor_outliers_zscore normalizacion features_temporales_adicionales test_size"
    " validation_size",
    "feature_engineering.gas_law": "activo R_gas_constant default_Z_factor output_feature_name",
    "clustering": "activo features_cliente_para_clustering metodo_optimal_k rango_k n_clusters_fijo",
    "modelos": "features_entrenamiento lstm_autoencoder",
    "alertas": "sigma_factor_deteccion_inicial niveles_criticidad.Alta niveles_criticidad.Media"
    " niveles_criticidad.Baja",
    "evaluacion_rendimiento": "tasa_falsos_positivos_max sensibilidad_min_por_variable"
    " precision_clasificacion_criticidad_min deteccion_incidentes_reales_min"
    " latencia_procesamiento_max_minutos",
}
"""The keys of their configuration."""


def placed() -> dict[str, list[str]]:
    """Our settings by their key."""
    table = TEXT.partition("## Sus opciones y las nuestras")[2]
    return {theirs: re.findall(r"`([^`]+)`", ours) for theirs, ours, _ in ROW.findall(table)}


def test_every_option_of_theirs_is_on_the_page() -> None:
    theirs = {f"{branch}.{key}" for branch, keys in THEIRS.items() for key in keys.split()}

    assert theirs | {"dashboard", "logging"} == set(placed())


def test_every_setting_of_ours_exists() -> None:
    known = {name for name, *_ in describe_settings()}

    assert {one for ours in placed().values() for one in ours} - known == set()


def test_every_level_is_explained() -> None:
    assert all(f"| {level.word} |" in TEXT for level in Criticality)


def test_example_is_valid_and_runs(tmp_path: Path) -> None:
    example = re.findall(r'```yaml title="sereno.yaml"\n(.*?)```', TEXT, re.DOTALL)[0]
    Settings.model_validate(yaml.safe_load(example))
    workspace = tmp_path / "planta"
    (workspace / "data" / "raw").mkdir(parents=True)
    (workspace / "sereno.yaml").write_text(example, "utf-8")
    clients = gas_clients(3, days=40, seed=51, n_faults=3)
    clients.write_workbook(workspace / "data" / "raw" / "clientes.xlsx")
    clients.write_truth(workspace / "data" / "ground_truth_data.csv")

    done = sereno("run", workspace=workspace)

    assert done.code == 0, done.err
    listed = TEXT.partition("## Qué se escribe")[2].partition("## ")[0]
    named = set(re.findall(r"^\| `([^`/]+)/?` \|", listed, re.MULTILINE)) - {"preprocessed.csv"}
    assert named == {path.name for path in (workspace / "reports").iterdir()}
    header = (workspace / "reports" / "performance_metrics.csv").read_text("utf-8").splitlines()[0]
    assert header.split(",")[:15] == list(PERFORMANCE_COLUMNS)
