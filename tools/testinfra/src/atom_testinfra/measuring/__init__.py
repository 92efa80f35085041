"""Runs pytest under measurement: one process for each profile and repeat."""
