"""Files that browsers get as they are."""
