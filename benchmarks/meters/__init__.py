"""Real meters without labels, and faults put into them."""
