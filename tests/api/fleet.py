"""A small fleet with faults: what a test of the API looks at and acts on."""

from pathlib import Path

from tests.support.builders import (
    MADRID,
    a_fleet,
    a_roof,
    a_workspace,
    readings_of,
    with_cells,
    write_solar_csv,
)

__all__ = ["SETTINGS", "build_fleet"]

ROWS, LEARNT = 300, 240
SETTINGS = """\
tariff: {currency: EUR, prices: {kWh: 0.2}}
receivers:
  guardia: {kind: files, options: {folder: told}}
  fuera: {kind: webhook, options: {url: "http://127.0.0.1:9/hook/s3cr3t", allow_private: true}}
routes:
  - {match: {severity: medium}, to: [guardia]}
maintenance:
  verano: {site: "Planta 9*", start: "2024-07-01", end: "2024-07-02", comment: Obras}
"""


def build_fleet(folder: Path, *, settings: str = SETTINGS) -> Path:
    """Three roofs that were learnt, then: one makes too little, one meter sticks, one file is bad."""
    roofs = a_fleet(2, rows=ROWS)
    weak = a_roof("Planta 3", rows=ROWS, generation={(LEARNT + 20, LEARNT + 32): 0.3})
    stuck = with_cells(
        roofs[1], slice(LEARNT + 30, LEARNT + 45), "consumption", roofs[1].values[LEARNT + 30, 1]
    )
    windows = [roofs[0], stuck, weak]
    with a_workspace(folder, settings=settings) as workspace:
        workspace.add(readings_of(*(window.rows(0, LEARNT) for window in windows)), zone=MADRID)
        workspace.train()
        workspace.add(readings_of(*(window.rows(LEARNT, ROWS) for window in windows)), zone=MADRID)
        workspace.score()
        files = folder.parent / f"{folder.name}-files"
        path = write_solar_csv(files, a_roof("Planta 4", rows=40))
        path.write_text(path.read_text("utf-8") + "Total,1,2,3,4,5\nno,es,un,dato,,\n", "utf-8")
        workspace.ingest(path)
    return folder
