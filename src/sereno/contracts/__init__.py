"""Extension points: small protocols that built-in and third-party parts meet alike."""

from sereno.contracts.detection import MIN_ROWS, Detector, TrainedDetector
from sereno.contracts.forecasting import Forecaster, TrainedForecaster

__all__ = ["MIN_ROWS", "Detector", "Forecaster", "TrainedDetector", "TrainedForecaster"]
