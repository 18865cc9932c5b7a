"""How the losses fell in each training: a picture beside the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from sereno.contracts import TrainedDetector
from sereno.domain.readings import FloatArray
from sereno.flows.models import TrainedModel
from sereno.report.charts import stand_alone
from sereno.report.process_report import loss_chart

__all__ = ["losses_of", "write_losses"]


@runtime_checkable
class _LearntByEpochs(Protocol):
    """A trained detector that knows how its losses fell."""

    @property
    def losses(self) -> Mapping[str, FloatArray]:
        """Training and validation loss of each epoch by segment, shape (epochs, 2)."""
        ...


def losses_of(detector: TrainedDetector) -> Mapping[str, FloatArray]:
    """Losses by segment; none of a detector that does not learn by epochs."""
    return detector.losses if isinstance(detector, _LearntByEpochs) else {}


def write_losses(model: TrainedModel, folder: Path, language: str) -> list[Path]:
    """A picture of the losses of each network of a model, `MODEL-loss.svg` (`MODEL-loss-2.svg`, …)."""
    written = []
    for place, (name, losses) in enumerate(losses_of(model.detector).items(), start=1):
        number = "" if place == 1 else f"-{place}"
        path = folder / f"{model.card.id}-loss{number}.svg"
        path.write_text(stand_alone(loss_chart(name, losses, language)), encoding="utf-8")
        written.append(path)
    return written
