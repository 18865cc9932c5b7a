"""What an extension must pass, built-in or third-party: call it from a test of your own."""

from sereno.testing.detectors import check_detector
from sereno.testing.senders import check_sender
from sereno.testing.sources import check_source
from sereno.testing.windows import a_calm_history

__all__ = ["a_calm_history", "check_detector", "check_sender", "check_source"]
