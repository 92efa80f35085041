"""Metrics, workflow events, integration health and alerts."""
