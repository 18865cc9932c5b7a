"""Extension points: small protocols that built-in and third-party parts meet alike."""

from sereno.contracts.detection import Detector, TrainedDetector

__all__ = ["Detector", "TrainedDetector"]
