"""Extension points: small protocols that built-in and third-party parts meet alike."""

from sereno.contracts.detection import MIN_ROWS, Detector, TrainedDetector
from sereno.contracts.execution import Executor
from sereno.contracts.forecasting import Forecaster, TrainedForecaster

__all__ = ["MIN_ROWS", "Detector", "Executor", "Forecaster", "TrainedDetector", "TrainedForecaster"]
