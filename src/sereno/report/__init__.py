"""What people read: sentences and documents made from domain objects."""
