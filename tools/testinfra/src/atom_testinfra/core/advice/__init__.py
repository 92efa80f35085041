"""What to do about a cost, and what it rests on."""
