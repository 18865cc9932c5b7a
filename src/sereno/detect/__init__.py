"""From windows to scores, from scores to calibrated detections."""
