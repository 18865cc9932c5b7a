"""Assets that behave alike: profiles of their history, and the segments that these fall into."""
