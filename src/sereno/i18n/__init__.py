"""Every sentence that a person reads, by key, in Spanish and English; numbers and dates as each writes them."""
