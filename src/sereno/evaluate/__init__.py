"""What was said against what was so: figures by row and by event, and goals."""
