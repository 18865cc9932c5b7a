"""Every sentence that a person reads, by key, in Spanish and English, and numbers as each writes them."""
