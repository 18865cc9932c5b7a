"""What an extension must pass, built-in or third-party: call it from a test of your own."""

from sereno.testing.detectors import check_detector

__all__ = ["check_detector"]
