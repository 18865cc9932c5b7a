"""NAB: streams that are judged as they come, scored by the benchmark's published rule."""
