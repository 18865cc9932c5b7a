"""The earlier alert system's class and menu, as its guide describes them, over sereno's path."""

from sereno.compat.system import SistemaAlertasTiempoReal

__all__ = ["SistemaAlertasTiempoReal"]
