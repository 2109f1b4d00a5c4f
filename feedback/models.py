"""What the two sides of a room say about it."""
