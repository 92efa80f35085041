"""A run that takes the time it was given."""
