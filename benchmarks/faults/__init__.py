"""Named faults, injected with a seed into solar and gas series, and what sereno makes of them."""
