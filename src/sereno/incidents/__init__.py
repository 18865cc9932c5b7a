"""Detections become incidents: one per asset and cause, with one life."""
