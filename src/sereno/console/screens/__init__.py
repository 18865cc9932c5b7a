"""One module per screen: its routes, and nothing that a flow could do."""
