"""From readings to a regular window, and what data checks and physics say of its rows."""
